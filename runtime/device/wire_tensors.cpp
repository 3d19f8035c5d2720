#include "runtime/device/wire_tensors.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "runtime/base/errors.h"

namespace lingua {
namespace {

constexpr std::int64_t kScaleBytes = 4;
constexpr double kShortestRow = 16;
constexpr float kLargest = 127;

std::uint16_t to_bfloat16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) return static_cast<std::uint16_t>((bits >> 16) | 0x40);
  return static_cast<std::uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

float from_bfloat16(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

// Of a float32 or bfloat16 tensor, as float32.
std::vector<float> read_values(const Tensor& tensor, std::int64_t first, std::int64_t count) {
  std::vector<float> values(static_cast<std::size_t>(count));
  if (tensor.dtype == DType::kFloat32) {
    std::memcpy(values.data(), tensor.data.get() + 4 * first, 4 * values.size());
    return values;
  }
  const std::byte* from = tensor.data.get() + 2 * first;
  for (float& value : values) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, from, 2);
    value = from_bfloat16(bits);
    from += 2;
  }
  return values;
}

void write_values(const std::vector<float>& values, std::byte* out, DType dtype) {
  if (dtype == DType::kFloat32) {
    std::memcpy(out, values.data(), 4 * values.size());
    return;
  }
  for (const float value : values) {
    const std::uint16_t bits = to_bfloat16(value);
    std::memcpy(out, &bits, 2);
    out += 2;
  }
}

void pack_row(const std::vector<float>& row, std::byte* out) {
  float largest = 0;
  bool finite = true;
  for (const float value : row) {
    finite = finite && std::isfinite(value);
    largest = std::max(largest, std::fabs(value));
  }
  float scale = largest / kLargest;
  if (!finite) scale = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(out, &scale, kScaleBytes);
  auto* values = reinterpret_cast<std::int8_t*>(out + kScaleBytes);
  // Of so small numbers the scale is rounded to zero, or the quotient is beyond the largest.
  for (std::size_t i = 0; i < row.size(); ++i) {
    const float value = finite && scale > 0 ? std::nearbyint(row[i] / scale) : 0;
    values[i] = static_cast<std::int8_t>(std::clamp(value, -kLargest, kLargest));
  }
}

std::vector<float> unpacked_row(const std::byte* packed, std::int64_t n) {
  float scale = 0;
  std::memcpy(&scale, packed, kScaleBytes);
  const auto* values = reinterpret_cast<const std::int8_t*>(packed + kScaleBytes);
  std::vector<float> row(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < row.size(); ++i) row[i] = scale * static_cast<float>(values[i]);
  return row;
}

// A tensor of that dtype and row length, its data (null where `from` has none) to be filled.
std::byte* make_like(const Tensor& from, DType dtype, std::int64_t row, Tensor* to) {
  to->dtype = dtype;
  to->shape = from.shape;
  to->shape.back() = row;
  if (!from.has_data()) return nullptr;
  std::shared_ptr<std::byte> data = allocate_bytes(to->bytes());
  to->data = data;
  return data.get();
}

}  // namespace

bool is_packed(const TensorSpec& spec, const std::vector<ValueId>& model_outputs, WireType wire) {
  const bool is_output =
      std::find(model_outputs.begin(), model_outputs.end(), spec.value) != model_outputs.end();
  if (wire == WireType::kAsComputed || !spec.is_tensor || spec.dims.empty() || is_output)
    return false;
  if (wire == WireType::kBFloat16) return spec.dtype == DType::kFloat32;
  const bool is_float = spec.dtype == DType::kFloat32 || spec.dtype == DType::kBFloat16;
  return is_float && spec.dims.back().is_constant() && spec.dims.back().at({}) >= kShortestRow;
}

TensorSpec wire_spec(const TensorSpec& spec, const std::vector<ValueId>& model_outputs,
                     WireType wire) {
  if (!is_packed(spec, model_outputs, wire)) return spec;
  TensorSpec packed = spec;
  if (wire == WireType::kBFloat16) {
    packed.dtype = DType::kBFloat16;
    packed.bytes *= 0.5;
    return packed;
  }
  const double row = spec.dims.back().at({});
  packed.dtype = DType::kInt8;
  packed.dims.back() = StepFunction(row + kScaleBytes);
  packed.bytes *= (row + kScaleBytes) / (static_cast<double>(dtype_bytes(spec.dtype)) * row);
  return packed;
}

Tensor pack(const Tensor& tensor, WireType wire) {
  LINGUA_CHECK(wire != WireType::kAsComputed && !tensor.shape.empty());
  const std::int64_t row = tensor.shape.back();
  Tensor packed;
  if (wire == WireType::kBFloat16) {
    std::byte* out = make_like(tensor, DType::kBFloat16, row, &packed);
    if (out != nullptr) write_values(read_values(tensor, 0, tensor.elements()), out, packed.dtype);
    return packed;
  }
  std::byte* out = make_like(tensor, DType::kInt8, row + kScaleBytes, &packed);
  if (out == nullptr || row == 0) return packed;
  for (std::int64_t r = 0; r < tensor.elements() / row; ++r)
    pack_row(read_values(tensor, r * row, row), out + r * (row + kScaleBytes));
  return packed;
}

Tensor unpack(const Tensor& packed, WireType wire, DType dtype) {
  LINGUA_CHECK(wire != WireType::kAsComputed && !packed.shape.empty());
  const bool is_int8 = wire == WireType::kInt8;
  const std::int64_t row = packed.shape.back() - (is_int8 ? kScaleBytes : 0);
  LINGUA_CHECK(row >= 0 && packed.dtype == (is_int8 ? DType::kInt8 : DType::kBFloat16));
  Tensor tensor;
  std::byte* out = make_like(packed, dtype, row, &tensor);
  if (out == nullptr || row == 0) return tensor;
  if (!is_int8) {
    write_values(read_values(packed, 0, packed.elements()), out, dtype);
    return tensor;
  }
  const std::int64_t row_bytes = row * dtype_bytes(dtype);
  for (std::int64_t r = 0; r < tensor.elements() / row; ++r) {
    write_values(unpacked_row(packed.data.get() + r * (row + kScaleBytes), row),
                 out + r * row_bytes, dtype);
  }
  return tensor;
}

}  // namespace lingua
