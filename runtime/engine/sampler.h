#pragma once
// From logits to a token, at the tailer.

#include <functional>

#include "runtime/device/message.h"
#include "runtime/device/tensor.h"

namespace lingua {

// Takes logits [..., V] and gives the next token after the last position.
using Sampler = std::function<TokenId(const Tensor& logits)>;

// The index of the largest logit of the last row; the lowest index among equals. Logits without
// data (shapes only) give kNoToken.
// Errors: WorldError for logits that are not floating point, empty or not a number throughout.
TokenId greedy_token(const Tensor& logits);

}  // namespace lingua
