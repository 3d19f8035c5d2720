#include "runtime/engine/answer_checks.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "runtime/engine/request_state.h"
#include "runtime/events/event_log.h"

namespace lingua {
namespace {

constexpr Seconds kClockError{600};   // of a device's clock against the coordinator's
constexpr double kMostBytes = 1e18;   // of one row
constexpr double kOtherRows = 10000;  // of deployments

}  // namespace

std::string wrong_tensor(const Tensor& tensor, const TensorSpec& spec, const Step& step,
                         bool with_data) {
  if (tensor.dtype != spec.dtype) {
    return fmt::format("dtype {} instead of {}", dtype_name(tensor.dtype), dtype_name(spec.dtype));
  }
  std::vector<double> dims;
  for (const StepFunction& dim : spec.dims) dims.push_back(dim.at(step));
  const auto same = [](std::int64_t is, double should) {
    return static_cast<double>(is) == should;
  };
  if (!std::equal(tensor.shape.begin(), tensor.shape.end(), dims.begin(), dims.end(), same)) {
    return fmt::format("shape [{}] instead of [{}]", fmt::join(tensor.shape, ", "),
                       fmt::join(dims, ", "));
  }
  return with_data && !tensor.has_data() ? "no contents" : "";
}

std::optional<Ending> ending_of(const std::vector<TokenId>& tokens,
                                const std::vector<TokenId>& stop_tokens, std::int64_t max_tokens) {
  const bool stopped = !tokens.empty() && std::find(stop_tokens.begin(), stop_tokens.end(),
                                                    tokens.back()) != stop_tokens.end();
  if (stopped) return Ending::kStop;
  if (static_cast<std::int64_t>(tokens.size()) >= max_tokens) return Ending::kLength;
  return std::nullopt;
}

AnswerChecks::AnswerChecks(const Deployment& deployment)
    : segmentation_(*deployment.segmentation), with_data_(deployment.source->has_data()) {
  deployed(deployment.plan);
  const auto& outputs = segmentation_.model_outputs;
  const TensorSpec* logits = outputs.empty() ? nullptr : spec_of(outputs.front());
  if (logits == nullptr || logits->dims.empty() || !logits->dims.back().is_constant()) return;
  vocabulary_ = static_cast<std::int64_t>(logits->dims.back().at({}));
}

// What makes or gives a value; null when no segment says.
const TensorSpec* AnswerChecks::spec_of(ValueId value) const {
  const auto find = [&](const std::vector<TensorSpec>& specs) -> const TensorSpec* {
    const auto place = std::find_if(specs.begin(), specs.end(),
                                    [&](const TensorSpec& spec) { return spec.value == value; });
    return place == specs.end() ? nullptr : &*place;
  };
  const auto& segments = segmentation_.segments;
  for (auto segment = segments.rbegin(); segment != segments.rend(); ++segment) {
    if (const TensorSpec* spec = find(segment->outputs)) return spec;
  }
  return find(segmentation_.model_inputs);
}

void AnswerChecks::deployed(const Plan& plan) {
  for (const DeviceName& device : plan.devices()) devices_.insert(device);
}

void AnswerChecks::submitted(const Submit& submit) {
  Request request;
  request.step = first_step(submit, segmentation_.model_inputs);
  request.max_tokens = submit.max_tokens;
  request.stop_tokens = submit.stop_tokens;
  steps_ += most_steps(request);
  requests_.insert_or_assign(submit.request, std::move(request));
  latest_ = std::max(latest_, submit.request);
}

// A prompt may be computed token by token.
double AnswerChecks::most_steps(const Request& request) const {
  return 1 + static_cast<double>(request.step.new_tokens) +
         static_cast<double>(std::max<std::int64_t>(request.max_tokens, 0));
}

void AnswerChecks::resumed(RequestId request) { steps_ += most_steps(requests_.at(request)); }

const std::vector<TokenId>& AnswerChecks::tokens(RequestId request) const {
  return requests_.at(request).tokens;
}

std::optional<Ending> AnswerChecks::ending(RequestId id) const {
  const Request& request = requests_.at(id);
  const auto ending = ending_of(request.tokens, request.stop_tokens, request.max_tokens);
  return !ending && request.cancelled ? std::optional(Ending::kCancelled) : ending;
}

void AnswerChecks::cancelled(RequestId request) { requests_.at(request).cancelled = true; }

void AnswerChecks::refused(RequestId request) { requests_.erase(request); }

std::string AnswerChecks::take(const TokenMade& token) {
  const auto place = requests_.find(token.request);
  if (place == requests_.end()) {
    return fmt::format("a token of request {}, which is not under way", token.request);
  }
  Request& request = place->second;
  const auto made = static_cast<std::int64_t>(request.tokens.size());
  if (made >= request.max_tokens) {
    return fmt::format("token {} of request {}, which asks for {}", token.index, token.request,
                       request.max_tokens);
  }
  if (ending_of(request.tokens, request.stop_tokens, request.max_tokens)) {
    return fmt::format("token {} of request {}, which the one before has stopped", token.index,
                       token.request);
  }
  if (token.index != made) {
    return fmt::format("token {} of request {} where token {} comes next", token.index,
                       token.request, made);
  }
  const bool known = with_data_ ? token.token >= 0 : token.token >= kNoToken;
  if (!known || (vocabulary_ > 0 && token.token >= vocabulary_)) {
    return fmt::format("token id {} for request {}; the model has {} ids from 0", token.token,
                       token.request, vocabulary_ > 0 ? std::to_string(vocabulary_) : "only");
  }
  request.tokens.push_back(token.token);
  return "";
}

std::string AnswerChecks::take(const Done& done) {
  const auto place = requests_.find(done.request);
  if (place == requests_.end()) {
    return fmt::format("the end of request {}, which is not under way", done.request);
  }
  Request& request = place->second;
  std::string wrong = wrong_end(request, done);
  if (wrong.empty()) wrong = wrong_outputs(request, done.outputs);
  if (!wrong.empty()) return fmt::format("the end of request {} with {}", done.request, wrong);
  requests_.erase(place);
  return "";
}

std::string AnswerChecks::wrong_end(const Request& request, const Done& done) const {
  const std::vector<TokenId>& tokens = done.tokens;
  if (tokens != request.tokens) {
    return fmt::format("{} tokens that are not the {} it made", tokens.size(),
                       request.tokens.size());
  }
  const auto ending = ending_of(tokens, request.stop_tokens, request.max_tokens);
  if (!ending && tokens.empty()) return "no token";
  if (!ending && !request.cancelled) {
    return fmt::format("{} of its {} tokens and none that stops it", tokens.size(),
                       request.max_tokens);
  }
  return done.ending == ending.value_or(Ending::kCancelled) ? ""
                                                            : "a reason that is not why it ended";
}

std::string AnswerChecks::wrong_outputs(const Request& request,
                                        const std::vector<Tensor>& outputs) const {
  const auto& values = segmentation_.model_outputs;
  const std::size_t expected = request.max_tokens > 0 ? 0 : values.size();
  if (outputs.size() != expected) {
    return fmt::format("{} outputs instead of {}", outputs.size(), expected);
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const TensorSpec* spec = spec_of(values[i]);
    if (spec == nullptr || !spec->is_tensor) continue;  // a number has no shape to speak of
    const std::string wrong = wrong_tensor(outputs[i], *spec, request.step, with_data_);
    if (!wrong.empty()) return fmt::format("output {} ('{}') of {}", i, spec->name, wrong);
  }
  return "";
}

double AnswerChecks::most_rows() const {
  const auto segments = static_cast<double>(segmentation_.segments.size());
  const auto devices = static_cast<double>(devices_.size());
  return kOtherRows + steps_ * (2 * segments + devices + 8);
}

bool AnswerChecks::plausible(const EventRow& row, const DeviceName& from, Seconds now) const {
  const auto arrow = row.who.find("->" + from);
  const bool own =
      row.who == from || (arrow != std::string::npos && arrow + 2 + from.size() == row.who.size() &&
                          devices_.contains(row.who.substr(0, arrow)));
  const auto segments = static_cast<std::int64_t>(segmentation_.segments.size());
  return own && event::is_of_device(row.what) && row.segment >= -1 && row.segment < segments &&
         row.request >= -1 && row.request <= latest_ && row.step >= -1 &&
         row.start >= -kClockError && row.start <= row.end && row.end <= now + kClockError &&
         row.bytes >= 0 && row.bytes <= kMostBytes;
}

}  // namespace lingua
