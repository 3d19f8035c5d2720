#include "runtime/engine/tailer.h"

#include "runtime/base/errors.h"
#include "runtime/engine/refusal.h"

namespace lingua {

StepResult Tailer::result_of(StageRunner::StepOutput output, Epoch epoch) {
  const bool penalises = output.sampling.repetition_penalty != 1;
  if (penalises && output.step_index == 0) recent_[output.request] = output.recent;
  StepResult result{epoch, output.request, output.step_index, kNoToken, {}};
  if (output.prompt_goes_on) return result;
  if (output.generates) {
    LINGUA_CHECK(!output.outputs.empty());
    result.token = choose(output.outputs.front(), output);
  } else {
    result.outputs = std::move(output.outputs);
  }
  return result;
}

TokenId Tailer::choose(const Tensor& logits, const StageRunner::StepOutput& step) {
  const Sampling& sampling = step.sampling;
  if (!sampler_ && !sampling.is_greedy()) {
    throw RequestRefused(step.request,
                         "this device chooses tokens greedily only, the request asks for sampling");
  }
  if (!sampler_) return greedy_token(logits);
  const std::int64_t position = step.step.new_tokens + step.step.cached_tokens;
  if (sampling.repetition_penalty == 1) return sampler_(logits, {sampling, position, {}});
  const auto found = recent_.find(step.request);
  if (found == recent_.end()) {
    throw RequestRefused(
        step.request, fmt::format("step {} has a repetition penalty, but its prompt's last tokens "
                                  "never came with step 0",
                                  step.step_index));
  }
  std::vector<TokenId>& recent = found->second;
  const TokenId token = sampler_(logits, {sampling, position, recent});
  recent.push_back(token);
  const auto window = static_cast<std::size_t>(sampling.repetition_window);
  if (recent.size() > window)
    recent.erase(recent.begin(), recent.end() - static_cast<std::ptrdiff_t>(window));
  return token;
}

}  // namespace lingua
