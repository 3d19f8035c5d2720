#pragma once
// Dot products of the rows of a matrix with vectors, one or hundreds: the linear maps of a model, and
// attention's scores.
//
// Internal to torch/; includes nothing of LibTorch.
// Precision: vectors, weights and sums are float32; widening is exact.
// Determinism: a product depends on its two vectors alone: not on the other rows and vectors, the
// threads, or the instruction set. Its columns are taken in blocks of kBlockColumns. In a block, column i
// goes to running sum i mod 16 in the order of i; with bfloat16 weights columns 2 l + 1 and 2 l of each 32
// go to running sum l, in that order. Each step rounds once (a fused multiplication and addition). The
// running sums are added as a tree of neighbours, and the blocks' sums in order. Where NaN comes out, its
// bits are not defined. SSE4 has no fused operation: float32 times float32 or int8 imitates it (slow), and
// what is exact in float32 (bfloat16 times bfloat16 or int8) is equal but for products beyond its range.
// Threads: none of its own; different rows may be computed, and vectors widened, at once.
// Source: Goto and van de Geijn, ACM TOMS 34(3), 2008: blocks that fit the caches, tiles of products that
// share what they read.

#include <hwy/aligned_allocator.h>

#include <cstddef>
#include <cstdint>

#include "runtime/torch/kernels/elements.h"

namespace lingua {

inline constexpr std::int64_t kBlockColumns = 1024;
// The most vectors for which rows are widened as they are read; for more, blocks of rows first.
inline constexpr std::int64_t kFewVectors = 32;
// Ranges of rows that are computed fastest with many vectors: they fit the second cache when widened.
inline constexpr std::int64_t kGoodRows = 60;

// Vectors as products with rows of one type take them: widened to float32, cut in blocks of columns,
// filled up with zeros to 32 columns.
class WideVectors {
 public:
  // Memory for `count` vectors of `width` columns of a type, for rows of a type.
  // REQUIRES: bfloat16 rows are for bfloat16 vectors, float32 rows for float32 ones, int8 for both.
  WideVectors(std::int64_t count, std::int64_t width, RowType rows, RowType type);

  // Vectors first .. last - 1, of which the first stands at x.
  void widen(const std::byte* x, std::int64_t stride_bytes, std::int64_t first, std::int64_t last);

  std::int64_t count() const { return count_; }
  std::int64_t width() const { return width_; }
  RowType type() const { return type_; }
  std::int64_t blocks() const { return (width_ + kBlockColumns - 1) / kBlockColumns; }
  // Columns of a block with the zeros, which is how far its vectors are apart.
  std::int64_t columns(std::int64_t block) const;
  const float* block(std::int64_t block) const {
    return values_.get() + block * kBlockColumns * count_;
  }

 private:
  std::int64_t count_;
  std::int64_t width_;
  RowType rows_;
  RowType type_;
  hwy::AlignedFreeUniquePtr<float[]> values_;
};

// products[v * (end - begin) + r - begin] = row r times vector v, for the rows begin .. end - 1 and the
// vectors first .. last - 1, whose v counts from 0. Memory is read once for few vectors, and once for every
// some hundred else. REQUIRES: the vectors were widened for rows of the matrix's type and width.
void row_products(const RowMatrix& matrix, std::int64_t begin, std::int64_t end,
                  const WideVectors& vectors, std::int64_t first, std::int64_t last,
                  float* products);

// What makes products with rows begin .. end - 1 results: the scales that int8 rows are followed by, and
// a bias.
struct Finish {
  const float* scales = nullptr;  // null: none
  const float* bias = nullptr;    // null: none
  RowType type = RowType::kFloat32;
};

// products[i] * scales[i] + bias[i], rounded to the type.
void finish_products(const Finish& finish, const float* products, std::int64_t count,
                     std::byte* out);

}  // namespace lingua
