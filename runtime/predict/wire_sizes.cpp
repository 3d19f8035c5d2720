#include "runtime/predict/wire_sizes.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "runtime/device/wire_tensors.h"

namespace lingua {
namespace {

Tensor tensor_of(const TensorSpec& spec, const Step& step) {
  Tensor tensor{spec.dtype, {}, nullptr};
  for (const StepFunction& size : spec.dims) tensor.shape.push_back(std::llround(size.at(step)));
  return tensor;
}

}  // namespace

WireSizes::WireSizes(const PlanPipeline& pipeline, const Workload& workload)
    : pipeline_(pipeline), workload_(workload), values_(pipeline.messages.size()) {
  if (!is_exact()) return;
  const Segmentation& model = pipeline.segmentation;
  std::unordered_map<ValueId, const TensorSpec*> specs;
  for (const TensorSpec& input : model.model_inputs) specs.emplace(input.value, &input);
  for (const Segment& segment : model.segments) {
    for (const TensorSpec& output : segment.outputs) specs.emplace(output.value, &output);
  }
  for (std::size_t m = 0; m < values_.size(); ++m) {
    for (const ValueId value : pipeline.messages[m].values) {
      values_[m].push_back(
          wire_spec(*specs.at(value), model.model_outputs, workload.communication.wire));
    }
  }
  if (workload.max_tokens > 0) return;
  for (const ValueId value : model.model_outputs) outputs_.push_back(*specs.at(value));
}

Activations WireSizes::make_activations(std::size_t message, const SizedRequest& request,
                                        const PlayedStep& played) const {
  const bool header_chooses = pipeline_.plan.header() == pipeline_.plan.tailer();
  Activations activations{
      kSizedEpoch,
      request.number,
      played.index,
      played.step,
      workload_.max_tokens > 0 ? request.prompt_tokens + workload_.max_tokens : 0,
      pipeline_.messages[message].values,
      {},
      {},
      {},
      played.prompt_goes_on && !header_chooses};
  const Sampling& sampling = workload_.messages.request.sampling;
  if (!header_chooses && !sampling.is_greedy()) activations.sampling = sampling;
  if (!header_chooses && sampling.repetition_penalty != 1 && played.index == 0) {
    activations.recent.resize(
        static_cast<std::size_t>(std::min(request.prompt_tokens, sampling.repetition_window)));
  }
  for (const TensorSpec& value : values_[message])
    activations.tensors.push_back(tensor_of(value, played.step));
  return activations;
}

StepResult WireSizes::make_answer(const SizedRequest& request, const PlayedStep& played) const {
  StepResult result{kSizedEpoch, request.number, played.index, kNoToken, {}};
  for (const TensorSpec& output : outputs_)
    result.outputs.push_back(tensor_of(output, played.step));
  return result;
}

double WireSizes::activations(std::size_t message, const SizedRequest& request,
                              const PlayedStep& played) const {
  if (!is_exact()) return pipeline_.messages[message].bytes.at(played.step);
  return encoded(make_activations(message, request, played));
}

double WireSizes::answer(const SizedRequest& request, const PlayedStep& played) const {
  if (!is_exact()) return pipeline_.answer.bytes.at(played.step);
  return encoded(make_answer(request, played));
}

double WireSizes::submit(const SizedRequest& request) const {
  const std::vector<TensorSpec>& inputs = pipeline_.segmentation.model_inputs;
  const Step prompt{request.prompt_tokens, 0};
  if (!is_exact()) {
    double bytes = workload_.messages.submit;
    for (const TensorSpec& input : inputs) bytes += input.bytes.at(prompt);
    return bytes;
  }
  Submit submit = workload_.messages.request;
  submit.request = request.number;
  submit.inputs.clear();
  for (const TensorSpec& input : inputs) submit.inputs.push_back(tensor_of(input, prompt));
  submit.max_tokens = workload_.max_tokens;
  submit.capacity = submit.max_tokens > 0 ? request.prompt_tokens + submit.max_tokens : 0;
  submit.kv_cache = workload_.kv_cache;
  submit.epoch = kSizedEpoch;
  return encoded(submit);
}

double WireSizes::token_made(const SizedRequest& request, std::int64_t token) const {
  if (workload_.max_tokens == 0) return 0;
  if (!is_exact()) return workload_.messages.token_made;
  return encoded(TokenMade{request.number, token, kNoToken});
}

double WireSizes::done(const SizedRequest& request) const {
  const auto tokens = static_cast<std::size_t>(workload_.max_tokens);
  if (!is_exact()) {
    return workload_.messages.done + workload_.messages.done_token * static_cast<double>(tokens);
  }
  Done done{request.number, std::vector<TokenId>(tokens, kNoToken), {}};
  for (const TensorSpec& output : outputs_)
    done.outputs.push_back(tensor_of(output, {request.prompt_tokens, 0}));
  return encoded(done);
}

double WireSizes::release(const SizedRequest& request) const {
  return is_exact() ? encoded(Release{request.number}) : workload_.messages.release;
}

double WireSizes::together(std::size_t message, const std::vector<Part>& parts) const {
  const MessageSizes& usual = workload_.messages;
  if (!is_exact()) return usual.together + static_cast<double>(parts.size()) * usual.together_each;
  Together together{kSizedEpoch, {}, {}};
  double alone = 0;
  for (const auto& [request, played] : parts) {
    if (message == kAnswers) {
      together.results.push_back(make_answer(request, played));
      alone += encoded(together.results.back());
    } else {
      together.activations.push_back(make_activations(message, request, played));
      alone += encoded(together.activations.back());
    }
  }
  return encoded(together) - alone;
}

}  // namespace lingua
