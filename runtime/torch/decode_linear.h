#pragma once
// Linear maps on CPU that read the matrix from memory once, in its own dtype, for LibTorch's
// dispatcher.
//
// Internal to torch/; builds with LibTorch's mobile part alone.
// LibTorch's own kernels are made for many rows of x. For one row, with LibTorch 1.13 and matrices in
// the cache, they take 2 to 20 times as long, by machine (experiments/bench/linear_bench).
// Precision: sums in float32, rounded once to the dtype of x, the bias included.
// Determinism: as row_products.h; the number of threads does not matter.

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "runtime/torch/row_products.h"

namespace lingua {

// The most rows of x for which this is faster than LibTorch's matrix product (its float32 one is
// OpenBLAS's, that of bfloat16 oneDNN's).
inline constexpr std::int64_t kFewRowsFloat32 = 32;
inline constexpr std::int64_t kFewRowsBFloat16 = 4;

// x [..., in] times the transpose of `rows` [out, in] plus bias [out] (undefined: none), in the
// dtype of x. int8 rows are followed by their scale, as int8_ops.h says.
// REQUIRES: x and bias are float32 or bfloat16, contiguous and of one dtype; x is not empty.
at::Tensor row_linear(const at::Tensor& x, const RowMatrix& rows, std::int64_t out,
                      const at::Tensor& bias);

// From now on aten::linear on CPU is row_linear where x has few rows and the operands are float32 or
// bfloat16, in this whole process; everything else goes where it went. More
// than once does no harm. No gradients are recorded through it.
void register_decode_linear();

}  // namespace lingua
