#pragma once
// The BLOOM family as TorchScript text: unrolled, without control flow, sizes written as constants.
//
// Shapes: activations [n, h]; a layer's keys [heads, head_dim, capacity] and values
// [heads, capacity, head_dim] (so that neither matrix product transposes a state: twice as fast in
// bfloat16 at 512 positions), of which forward writes positions p .. p + n and reads 0 .. p + n. The
// ALiBi bias with the causal mask, [heads, n, p + n], is computed once, at the start, from
// new_tokens, cached_tokens and constants; nothing else but the hidden state crosses from block to
// block.
// FLOPs: without cache and with Head::kAll a pass of T tokens does L (24 h^2 T + 4 h T^2) + 2 h V T
// in matrix products.
// Precision: matrix products, layer norms and soft-max accumulate in fp32 and round to the model's
// dtype. Logits are returned as fp32 (widened where the model is bf16), so that a greedy choice
// compares the numbers that were computed; ties go to the lowest token.
// Source: Le Scao et al., arXiv 2211.05100; Press et al., ALiBi, arXiv 2108.12409; the layout of
// weights and the slopes for head counts that are no power of two as in Hugging Face transformers.

#include <string>
#include <vector>

#include "runtime/model/segment.h"
#include "runtime/torch/config.h"
#include "runtime/torch/import.h"

namespace lingua {

struct BloomWeight {
  std::string attribute;  // of the TorchScript module: "h_0_input_layernorm_weight"
  WeightSpec spec;        // named as in the published checkpoints: "h.0.input_layernorm.weight"
};

// In the order of the published checkpoints. The LM head is the embedding.
std::vector<BloomWeight> bloom_weights(const BloomConfig& config, DType dtype);

// One slope per head: the ALiBi bias of key position j is slope * j.
std::vector<float> bloom_alibi_slopes(std::int64_t heads);

// The source of forward(self, tokens, new_tokens, cached_tokens, [k_0, v_0, ...]).
// REQUIRES: options.dtype is float32 or bfloat16.
std::string bloom_script(const BloomConfig& config, const ImportOptions& options);

}  // namespace lingua
