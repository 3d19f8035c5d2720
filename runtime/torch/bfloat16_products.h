#pragma once
// Products of bfloat16 matrices on CPUs for which LibTorch has plain loops only.
//
// Internal to torch/; builds with LibTorch's mobile part alone.
// Source: oneDNN multiplies bfloat16 with AVX-512 (at::native::use_mkldnn_bf16_matmul); elsewhere
// LibTorch 1.13's loops take some hundred times as long as OpenBLAS's float32 product.
// Precision: sums in float32, rounded once.

namespace lingua {

// Whether LibTorch's own products of bfloat16 matrices are fast on this CPU.
bool has_bfloat16_products();

// From now on aten::mm, mv, bmm, addmm, addmv and baddbmm of bfloat16 widen their operands where that is faster, in this
// whole process. More than once does no harm. No gradients are recorded through them.
void register_bfloat16_products();

}  // namespace lingua
