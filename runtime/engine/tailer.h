#pragma once
// The part of the tailer, the device of the last segment, that chooses tokens.
//
// A role without I/O. Errors: RequestRefused where a request asks for what it cannot do.

#include <map>
#include <optional>
#include <vector>

#include "runtime/engine/sampler.h"
#include "runtime/engine/stage_runner.h"

namespace lingua {

class Tailer {
 public:
  // Without a sampler tokens are chosen greedily, and a request that asks for anything else is refused.
  explicit Tailer(Sampler sampler) : sampler_(std::move(sampler)) {}

  // What the header gets of a step: a token, or the outputs of a single pass; neither while the prompt goes on,
  // whose piece has then left the pipeline.
  StepResult result_of(StageRunner::StepOutput output, Epoch epoch);
  void release(RequestId request) { recent_.erase(request); }

 private:
  TokenId choose(const Tensor& logits, const StageRunner::StepOutput& step);

  Sampler sampler_;
  std::map<RequestId, std::vector<TokenId>> recent_;  // what the repetition penalty looks at
};

}  // namespace lingua
