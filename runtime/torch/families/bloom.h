#pragma once
// BLOOM: ALiBi positions, a fused query, key and value, biases everywhere, a tied head.
//
// FLOPs: without cache and with Head::kAll a pass of T tokens does L (24 h^2 T + 4 h T^2) + 2 h V T
// in matrix products.
// Source: Le Scao et al., arXiv 2211.05100; Press et al., ALiBi, arXiv 2108.12409; the layout of
// weights and the slopes for head counts that are no power of two as in Hugging Face transformers;
// huggingface.co/bigscience/bloom-{560m,1b1,1b7,3b,7b1}, config.json.

#include <cstdint>
#include <vector>

#include "runtime/torch/family.h"

namespace lingua {

// One slope per head: the ALiBi bias of key position j is slope * j.
std::vector<float> bloom_alibi_slopes(std::int64_t heads);

const Family& bloom_family();

}  // namespace lingua
