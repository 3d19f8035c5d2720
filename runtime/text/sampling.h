#pragma once
// From logits to a token: greedy, temperature, top-k, top-p, repetition penalty.
//
// Order: penalty, then temperature, then top-k, then top-p, then the draw, as in Hugging Face
// transformers. The penalty divides positive logits of the tokens in `recent` and multiplies
// negative ones (Keskar et al., arXiv 1909.05858); top-p is nucleus sampling (Holtzman et al., arXiv
// 1904.09751), the fewest tokens that reach p, at least one. Top-k keeps k tokens, no more; ties go
// to the lowest token. A logit that is not a number has no probability.
// Determinism: the token depends on the arguments alone; the draw comes from the seed and the
// position. Builds without tokenizers: phones need it.
// Errors: WorldError for logits that are not floating point, empty or not a number throughout.

#include <cstdint>
#include <vector>

#include "runtime/device/message.h"

namespace lingua {

// The next token after the last row of logits [..., V]; kNoToken for logits without data.
TokenId sample_token(const Tensor& logits, const Sampling& sampling, std::int64_t position,
                     const std::vector<TokenId>& recent);

// Errors: UsageError naming the setting ("`top-p` 3: ...").
void check_sampling(const Sampling& sampling);

}  // namespace lingua
