#pragma once
// From logits to a token, at the tailer.
//
// Determinism: a token depends on the logits and the context alone, so that any device can go on.

#include <functional>

#include "runtime/device/message.h"
#include "runtime/device/tensor.h"

namespace lingua {

struct SampleContext {
  Sampling sampling;
  std::int64_t position = 0;    // of the token that is chosen: n + p
  std::vector<TokenId> recent;  // tokens that the repetition penalty applies to
};

// Takes logits [..., V] and gives the next token after the last position; kNoToken for logits
// without data.
using Sampler = std::function<TokenId(const Tensor& logits, const SampleContext& context)>;

// The index of the largest logit of the last row; the lowest index among equals. Logits without
// data (shapes only) give kNoToken.
// Errors: WorldError for logits that are not floating point, empty or not a number throughout.
TokenId greedy_token(const Tensor& logits);

}  // namespace lingua
