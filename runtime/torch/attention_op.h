#pragma once
// The operation `lingua::attention`, which decoder_ops.h describes.

#include <ATen/core/Tensor.h>

namespace lingua {

at::Tensor attention(const at::Tensor& query, const at::Tensor& keys, const at::Tensor& values,
                     const c10::optional<at::Tensor>& slopes, double scale, std::int64_t window);
// On meta tensors.
at::Tensor attention_shape(const at::Tensor& query, const at::Tensor& keys,
                           const at::Tensor& values, const c10::optional<at::Tensor>& slopes,
                           double scale, std::int64_t window);

}  // namespace lingua
