#include "runtime/torch/tensor_convert.h"

#include <ATen/ops/from_blob.h>

#include <array>
#include <utility>

#include "runtime/base/errors.h"

namespace lingua {
namespace {

constexpr std::array kTypes = {
    std::pair{DType::kFloat32, at::kFloat}, std::pair{DType::kFloat64, at::kDouble},
    std::pair{DType::kFloat16, at::kHalf},  std::pair{DType::kBFloat16, at::kBFloat16},
    std::pair{DType::kInt64, at::kLong},    std::pair{DType::kInt32, at::kInt},
    std::pair{DType::kInt16, at::kShort},   std::pair{DType::kInt8, at::kChar},
    std::pair{DType::kUInt8, at::kByte},    std::pair{DType::kBool, at::kBool},
};

}  // namespace

at::ScalarType to_scalar_type(DType dtype) {
  for (const auto& [ours, theirs] : kTypes) {
    if (ours == dtype) return theirs;
  }
  throw BugError("a dtype that LibTorch does not have");
}

DType from_scalar_type(at::ScalarType type) {
  for (const auto& [ours, theirs] : kTypes) {
    if (theirs == type) return ours;
  }
  throw InputError(
      fmt::format("tensors of type {} are not supported; accepted are floating-point "
                  "types of 16 to 64 bits, integers and bool",
                  c10::toString(type)));
}

at::Tensor to_torch(const Tensor& tensor) {
  LINGUA_CHECK(tensor.has_data(), "a tensor without data has no numerics");
  auto* data = const_cast<std::byte*>(tensor.data.get());
  return at::from_blob(
      data, tensor.shape, [keep = tensor.data](void*) {},
      at::TensorOptions().dtype(to_scalar_type(tensor.dtype)));
}

Tensor from_torch(const at::Tensor& tensor) {
  auto owner = std::make_shared<at::Tensor>(tensor.contiguous());
  const auto* data = static_cast<const std::byte*>(owner->data_ptr());
  static constexpr std::byte kNothing{};
  if (data == nullptr) data = &kNothing;  // an empty tensor still has data
  return {from_scalar_type(owner->scalar_type()), owner->sizes().vec(),
          std::shared_ptr<const std::byte>(owner, data)};
}

}  // namespace lingua
