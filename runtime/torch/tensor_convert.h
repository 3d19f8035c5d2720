#pragma once
// Between lingua::Tensor and at::Tensor, without copies.
//
// Internal to torch/. Ownership: each side keeps the other's memory alive.

#include <ATen/core/TensorBody.h>

#include "runtime/device/tensor.h"

namespace lingua {

at::ScalarType to_scalar_type(DType dtype);

// Errors: InputError naming a type that has no DType (complex and quantised ones).
DType from_scalar_type(at::ScalarType type);

// A view of the tensor's data. It must not be written to. REQUIRES: tensor.has_data().
at::Tensor to_torch(const Tensor& tensor);

// A view of the tensor's data, after a copy when it is not contiguous.
Tensor from_torch(const at::Tensor& tensor);

}  // namespace lingua
