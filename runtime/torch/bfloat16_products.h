#pragma once
// Products of bfloat16 matrices for which LibTorch has plain loops only: all, or small ones.
//
// Internal to torch/; builds with LibTorch's mobile part alone.
// Source: oneDNN multiplies bfloat16 with AVX-512 where that is more than a few multiplications
// (at::native::use_mkldnn_bf16_matmul). Elsewhere LibTorch 1.13's loops take some hundred times as long as
// OpenBLAS's float32 product, and a vector's sums are in bfloat16.
// Precision: sums in float32, rounded once.

namespace lingua {

// Whether LibTorch's own products of large bfloat16 matrices are fast on this CPU.
bool has_bfloat16_products();

// From now on aten::mm, mv, dot, bmm, addmm, addmv and baddbmm of bfloat16 widen their operands where LibTorch has
// plain loops, in this whole process. More than once does no harm. No gradients are recorded through them.
void register_bfloat16_products();

}  // namespace lingua
