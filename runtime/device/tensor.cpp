#include "runtime/device/tensor.h"

#include <cstdlib>
#include <cstring>

#include "runtime/base/errors.h"
#include "runtime/base/units.h"

namespace lingua {

std::int64_t Tensor::elements() const {
  std::int64_t count = 1;
  for (std::int64_t dim : shape) count *= dim;
  return count;
}

std::shared_ptr<std::byte> allocate_bytes(std::int64_t bytes) {
  constexpr std::size_t kAlignment = 64;
  const std::size_t rounded =
      (static_cast<std::size_t>(bytes) + kAlignment) / kAlignment * kAlignment;
  auto* memory = static_cast<std::byte*>(std::aligned_alloc(kAlignment, rounded));
  if (memory == nullptr) {
    throw WorldError(fmt::format("{} of memory are not to be had",
                                 format_quantity(static_cast<double>(bytes), Unit::kBytes)));
  }
  return {memory, [](std::byte* p) { std::free(p); }};
}

Tensor make_bytes_tensor(const void* data, std::int64_t bytes) {
  auto memory = allocate_bytes(bytes);
  if (bytes > 0) std::memcpy(memory.get(), data, static_cast<std::size_t>(bytes));
  return {DType::kUInt8, {bytes}, memory};
}

Tensor make_int64_tensor(const std::vector<std::int64_t>& values) {
  const auto count = static_cast<std::int64_t>(values.size());
  Tensor tensor = make_bytes_tensor(values.data(), count * 8);
  tensor.dtype = DType::kInt64;
  tensor.shape = {count};
  return tensor;
}

Tensor make_number(std::int64_t value) {
  Tensor tensor = make_bytes_tensor(&value, 8);
  tensor.dtype = DType::kInt64;
  tensor.shape = {};
  return tensor;
}

}  // namespace lingua
