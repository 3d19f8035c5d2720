#pragma once
// Operations of decoders for LibTorch's dispatcher, by kernels of our own (kernels/), on CPU and (shapes
// only) meta tensors.
//
// Internal to torch/; builds with LibTorch's mobile part alone.
// LibTorch's own give a row other bits when other rows are computed beside it, or on another processor; and
// decoding one token calls several hundred operations on a few hundred numbers each: what they cost is their
// number.
//   rms_norm(Tensor x [..., size], Tensor weight [size], float epsilon, bool plus_one) -> Tensor
//   layer_norm(Tensor x [..., size], Tensor weight [size], Tensor bias [size], float epsilon) -> Tensor
//   rotate(Tensor x [heads, n, d], Tensor cos [n, d / 2], Tensor sin [n, d / 2]) -> Tensor
//   silu(Tensor x), gelu(Tensor x) -> Tensor
//     as kernels/rows.h. Results have the dtype of x and are contiguous.
//   cos(Tensor angles, float factor), sin(Tensor angles, float factor) -> Tensor
//     tables for rotate, float32.
//   soft_cap(Tensor x, float cap) -> Tensor
//   log_likelihood(Tensor logits [n, vocabulary], Tensor tokens [n]) -> Tensor [n]
//     float32.
//   attention(Tensor query [heads, n, d], Tensor keys [kv_heads, total, d], Tensor values [kv_heads, total, d],
//             Tensor? slopes [heads], float scale, int window) -> Tensor [n, heads * d]
//     The queries are those of the last n positions of the keys; each looks at its own position and those
//     before it, `window` in all (0: all of them). heads / kv_heads queries share one key and value.
//     kernels/attention.h says the rest.
// Errors: c10::Error that names operation and operand.
// Determinism: a row's result does not depend on other rows, on the number of threads or on the processor.
// Source: Zhang and Sennrich, arXiv 1910.07467 (norm); Su et al., arXiv 2104.09864 (rotation); the order of
// rounding as in Hugging Face transformers.

namespace lingua {

// Makes the operations known; more than once does no harm.
void register_decoder_ops();

}  // namespace lingua
