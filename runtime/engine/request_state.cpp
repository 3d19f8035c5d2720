#include "runtime/engine/request_state.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "runtime/engine/refusal.h"
#include "runtime/schedule/schedule.h"

namespace lingua {
namespace {

std::vector<std::int64_t> as_int64(const Tensor& tensor) {
  std::vector<std::int64_t> values(static_cast<std::size_t>(tensor.elements()), kNoToken);
  if (tensor.has_data() && !values.empty()) {
    std::memcpy(values.data(), tensor.data.get(), static_cast<std::size_t>(tensor.bytes()));
  }
  return values;
}

// n of a step that takes these inputs: the length of the first dimension that is n in the model.
std::int64_t new_tokens_of(const std::vector<Tensor>& inputs,
                           const std::vector<TensorSpec>& specs) {
  const StepFunction n({0, 1, 0, 0, 0, 0});
  for (std::size_t i = 0; i < std::min(inputs.size(), specs.size()); ++i) {
    for (std::size_t d = 0; d < std::min(specs[i].dims.size(), inputs[i].shape.size()); ++d) {
      if (specs[i].dims[d] == n) return inputs[i].shape[d];
    }
  }
  return 1;
}

}  // namespace

Step first_step(const Submit& submit, const std::vector<TensorSpec>& model_inputs) {
  const auto made = static_cast<std::int64_t>(submit.made.size());
  return {new_tokens_of(submit.inputs, model_inputs) + made, 0};
}

void check_submit(const Submit& submit, const std::vector<TensorSpec>& model_inputs) {
  const auto refuse = [&](const std::string& why) { throw RequestRefused(submit.request, why); };
  if (submit.inputs.size() != model_inputs.size()) {
    refuse(fmt::format("it has {} inputs, the model takes {}", submit.inputs.size(),
                       model_inputs.size()));
  }
  for (std::size_t i = 0; i < submit.inputs.size(); ++i) {
    if (submit.inputs[i].dtype != model_inputs[i].dtype) {
      refuse(fmt::format("input {} is {}, the model takes {}", model_inputs[i].name,
                         dtype_name(submit.inputs[i].dtype), dtype_name(model_inputs[i].dtype)));
    }
  }
  const Step step{new_tokens_of(submit.inputs, model_inputs), 0};
  for (std::size_t i = 0; i < submit.inputs.size(); ++i) {
    const auto& shape = submit.inputs[i].shape;
    bool same = shape.size() == model_inputs[i].dims.size();
    for (std::size_t d = 0; same && d < shape.size(); ++d) {
      same = shape[d] > 0 && static_cast<double>(shape[d]) == model_inputs[i].dims[d].at(step);
    }
    if (!same) {
      refuse(fmt::format("input {} has shape [{}], which the model does not take",
                         model_inputs[i].name, fmt::join(shape, ", ")));
    }
  }
  if (submit.max_tokens < 0) refuse("max_tokens is negative");
  const Sampling& sampling = submit.sampling;
  const bool sane = sampling.temperature >= 0 && std::isfinite(sampling.temperature) &&
                    sampling.top_k >= 0 && sampling.top_p > 0 && sampling.top_p <= 1 &&
                    sampling.repetition_penalty > 0 && std::isfinite(sampling.repetition_penalty) &&
                    sampling.repetition_window >= 0;
  if (!sane) refuse("its sampling has a value out of range");
  if (!submit.made.empty() && static_cast<std::int64_t>(submit.made.size()) >= submit.max_tokens)
    refuse(
        fmt::format("{} tokens of its {} are made already", submit.made.size(), submit.max_tokens));
  const std::int64_t whole = first_step(submit, model_inputs).new_tokens;
  const bool keeps_states = submit.max_tokens > 0 && submit.kv_cache;
  if (submit.cached < 0 || submit.cached >= whole || (submit.cached > 0 && !keeps_states))
    refuse(fmt::format("{} of its {} tokens are said to be cached", submit.cached, whole));
  if (submit.max_tokens == 0) return;
  if (submit.inputs.size() != 1 || submit.inputs[0].dtype != DType::kInt64 ||
      submit.inputs[0].elements() < 1) {
    refuse("generation needs one int64 input of at least one token");
  }
  const std::int64_t needed = submit.inputs[0].elements() + submit.max_tokens;
  if (submit.capacity < needed) {
    refuse(fmt::format("its capacity is {} tokens, prompt and answer need {}", submit.capacity,
                       needed));
  }
}

RequestState::RequestState(Submit submit, const std::vector<TensorSpec>& model_inputs,
                           Seconds start, const Scheduling& scheduling, int stages)
    : submit_(std::move(submit)),
      first_tokens_(first_step(submit_, model_inputs).new_tokens - submit_.cached),
      most_pieces_(most_pieces_under_way(stages)),
      tokens_(submit_.made),
      start_(submit_.started.value_or(start)),
      step_start_(start) {
  if (generates()) prompt_ = as_int64(submit_.inputs[0]);
  prompt_.insert(prompt_.end(), tokens_.begin(), tokens_.end());
  if (generates() && submit_.kv_cache) pieces_ = prompt_pieces(first_tokens_, scheduling, stages);
  if (submit_.sampling.is_greedy()) submit_.sampling = {};  // which no message has to carry
}

bool RequestState::piece_done(std::int64_t step_index) {
  if (step_index != pieces_done_ || step_index > step_index_ || step_index + 1 >= pieces_)
    return false;
  ++pieces_done_;
  return true;
}

Step RequestState::piece(std::int64_t index) const {
  Step piece = prompt_piece(first_tokens_, pieces_, index);
  piece.cached_tokens += submit_.cached;
  return piece;
}

std::int64_t RequestState::cached() const {
  if (!generates() || !submit_.kv_cache) return 0;
  return step_index_ < pieces_ ? piece(pieces_done_).cached_tokens : step().cached_tokens;
}

Step RequestState::step() const {
  if (step_index_ < pieces_) return piece(step_index_);
  const auto known =
      static_cast<std::int64_t>(prompt_.size() + tokens_.size() - submit_.made.size());
  if (submit_.kv_cache) return {1, known - 1};
  return {known, 0};
}

std::vector<Tensor> RequestState::step_inputs() const {
  const bool is_whole =
      step_index_ == 0 && pieces_ == 1 && submit_.made.empty() && submit_.cached == 0;
  if (!generates() || is_whole) return submit_.inputs;
  std::vector<std::int64_t> ids;
  if (step_index_ < pieces_) {
    const Step piece = step();
    const auto from = prompt_.begin() + piece.cached_tokens;
    ids.assign(from, from + piece.new_tokens);
  } else if (submit_.kv_cache) {
    ids = {tokens_.back()};
  } else {
    ids = prompt_;
    ids.insert(ids.end(), tokens_.begin() + static_cast<std::ptrdiff_t>(submit_.made.size()),
               tokens_.end());
  }
  Tensor tensor = make_int64_tensor(ids);
  // A model may take its tokens as [1, n]: keep the prompt's leading dimensions.
  tensor.shape = submit_.inputs[0].shape;
  tensor.shape.back() = static_cast<std::int64_t>(ids.size());
  return {tensor};
}

std::vector<TokenId> RequestState::recent() const {
  if (submit_.sampling.repetition_penalty == 1 || step_index_ > 0) return {};
  const auto window = static_cast<std::size_t>(submit_.sampling.repetition_window);
  const auto count = static_cast<std::ptrdiff_t>(std::min(prompt_.size(), window));
  return {prompt_.end() - count, prompt_.end()};
}

bool RequestState::take(TokenId token, Seconds now) {
  tokens_.push_back(token);
  const bool stopped = std::find(submit_.stop_tokens.begin(), submit_.stop_tokens.end(), token) !=
                       submit_.stop_tokens.end();
  if (stopped) {
    ending_ = Ending::kStop;
    return true;
  }
  if (static_cast<std::int64_t>(tokens_.size()) >= submit_.max_tokens) return true;
  if (cancelled_) {
    ending_ = Ending::kCancelled;
    return true;
  }
  ++step_index_;
  step_start_ = now;
  return false;
}

}  // namespace lingua
