#pragma once
// Products with int8 weights, for LibTorch's dispatcher: `lingua::linear_int8`, on CPU and (shapes only)
// meta tensors. Look-ups in them are in embedding_ops.h.
//
// Internal to torch/; builds with LibTorch's mobile part alone.
// Shapes: a matrix [out, in] is held as int8 [out, in + 4]: each row's values, then its scale as a
// little-endian float32. One tensor per matrix, so that a graph has the same nodes and values with
// and without int8, and a row can be moved or checked alone.
//   linear_int8(Tensor x [n, in], Tensor rows, Tensor? bias) -> Tensor [n, out], dtype of x
// Values: scale * q, q from -127 to 127, scale = (largest magnitude of the row) / 127.
// Precision: activations stay in their dtype; sums are fp32.

namespace lingua {

// Makes the operation known; more than once does no harm.
void register_int8_ops();

}  // namespace lingua
