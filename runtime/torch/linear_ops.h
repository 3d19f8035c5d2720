#pragma once
// Linear maps on CPU for LibTorch's dispatcher, by kernels of our own.
//
// Internal to torch/; builds with LibTorch's mobile part alone.
// LibTorch's own sum in an order that depends on the number of rows of x, and for few of them take 2 to 20
// times as long, by machine (experiments/bench/linear_bench).
// Precision: sums in float32, rounded once to the dtype of x, the bias included.
// Determinism: as kernels/row_products.h; neither other rows nor the number of threads matters.

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "runtime/torch/kernels/elements.h"

namespace lingua {

// x [..., in] times the transpose of `rows` [out, in] plus bias [out] (undefined: none), in the
// dtype of x. int8 rows are followed by their scale, as int8_ops.h says.
// REQUIRES: x and bias are float32 or bfloat16, contiguous and of one dtype, which is that of the rows
// unless these are int8; x is not empty.
at::Tensor row_linear(const at::Tensor& x, const RowMatrix& rows, std::int64_t out,
                      const at::Tensor& bias);

// From now on aten::linear on CPU is row_linear where the operands are float32 or bfloat16, in this whole
// process; everything else goes where it went. More than once does no harm. No gradients are recorded
// through it. Batched products of bfloat16 too, as bfloat16_products.h says.
void register_linear_ops();

}  // namespace lingua
