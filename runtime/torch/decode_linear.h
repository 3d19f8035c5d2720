#pragma once
// Linear maps on CPU for LibTorch's dispatcher: those of few rows read the matrix from memory once, in
// its own dtype; those of many rows widen blocks of it to float32 for LibTorch's matrix product.
//
// Internal to torch/; builds with LibTorch's mobile part alone.
// LibTorch's own kernels are made for many rows of x. For one row, with LibTorch 1.13 and matrices in
// the cache, they take 2 to 20 times as long, by machine (experiments/bench/linear_bench).
// bfloat16 is oneDNN's with AVX-512; without, LibTorch's plain loops are not used at all.
// Precision: sums in float32, rounded once to the dtype of x, the bias included.
// Determinism: with few rows as row_products.h, the number of threads does not matter; with many
// rows as LibTorch's float32 matrix product.

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "runtime/torch/row_products.h"

namespace lingua {

// The most rows of x for which this is faster than LibTorch's matrix product (its float32 one is
// OpenBLAS's, that of bfloat16 oneDNN's, where there is AVX-512).
inline constexpr std::int64_t kFewRowsFloat32 = 32;
inline constexpr std::int64_t kFewRowsBFloat16 = 4;

// x [..., in] times the transpose of `rows` [out, in] plus bias [out] (undefined: none), in the
// dtype of x. int8 rows are followed by their scale, as int8_ops.h says.
// REQUIRES: x and bias are float32 or bfloat16, contiguous and of one dtype; x is not empty.
at::Tensor row_linear(const at::Tensor& x, const RowMatrix& rows, std::int64_t out,
                      const at::Tensor& bias);

// From now on aten::linear on CPU is row_linear where the operands are float32 or bfloat16 and
// LibTorch's own is slower, in this whole process; everything else goes where it went. More than once
// does no harm. No gradients are recorded through it. Batched products too, as bfloat16_products.h says.
void register_decode_linear();

}  // namespace lingua
