#pragma once
// Attention of one head over a cache of keys and values.
//
// Internal to torch/; includes nothing of LibTorch.
// Precision: scores, soft-max and sums in float32; the result is rounded once.
// Determinism: a query's result depends on the query, on the keys and values that it may look at, and on
// nothing else: the positions behind it are not read. Scores are row_products(); exponentials are added in
// 16 running sums, from the first position that the query looks at; values in the order of positions, by
// fused multiplication and addition.
// Threads: none of its own; different heads and queries may be computed at once.
// Source: Vaswani et al., arXiv 1706.03762; Press et al., ALiBi, arXiv 2108.12409 (slopes).

#include <cstddef>
#include <cstdint>

#include "runtime/torch/kernels/elements.h"

namespace lingua {

struct AttentionHead {
  RowMatrix queries;               // new positions x head size
  RowMatrix keys;                  // positions x head size, the new ones last
  RowMatrix values;                // as keys
  std::int64_t positions = 0;      // of keys and values
  std::int64_t new_positions = 0;  // of queries
  std::int64_t window = 0;  // a query looks back so far, its own position included; 0: to the start
  float scale = 1;          // of a query times a key
  float slope = 0;          // times a key's position, added to its score
};

// Queries that share what they read; attend() holds a score for each of them and each position.
inline constexpr std::int64_t kGoodQueries = 48;

// The results of queries first .. last - 1: the first to `out`, the next `stride_bytes` further.
// REQUIRES: all operands are float32 or all bfloat16, and of one width.
void attend(const AttentionHead& head, std::int64_t first, std::int64_t last, std::byte* out,
            std::int64_t stride_bytes);

}  // namespace lingua
