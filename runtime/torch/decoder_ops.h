#pragma once
// Operations of decoders that LibTorch would make of many, for its dispatcher: `lingua::rms_norm`
// and `lingua::rotate`, on CPU and (shapes only) meta tensors.
//
// Internal to torch/; builds with LibTorch's mobile part alone.
// Decoding one token calls several hundred operations on a few hundred numbers each: what they cost
// is their number. A norm written out in bfloat16 takes 8 operations and 10 us on LibTorch 1.13, and
// Gemma 3 has 6 a layer.
//   rms_norm(Tensor x [..., size], Tensor weight [size], float epsilon, bool plus_one) -> Tensor
//     x / sqrt(mean(x^2) + epsilon), rounded, times weight; with plus_one times 1 + weight before the
//     one rounding. In the dtype of x; the weight is in that dtype or float32.
//   rotate(Tensor x [heads, n, d], Tensor cos [n, d / 2], Tensor sin [n, d / 2]) -> Tensor
//     turns the pairs (x[i], x[i + d / 2]) by the angles of the tables, which are float32.
// Precision: float32 inside, rounded as said. Results are contiguous.
// Determinism: a row's result does not depend on other rows or on the number of threads.
// Source: Zhang and Sennrich, arXiv 1910.07467 (norm); Su et al., arXiv 2104.09864 (rotation); the
// order of rounding as in Hugging Face transformers.

namespace lingua {

// Makes the operations known; more than once does no harm.
void register_decoder_ops();

}  // namespace lingua
