#include "runtime/device/wire_tensors.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

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

void pack_row(const float* row, std::int64_t n, std::byte* out) {
  float largest = 0;
  bool finite = true;
  for (std::int64_t i = 0; i < n; ++i) {
    finite = finite && std::isfinite(row[i]);
    largest = std::max(largest, std::fabs(row[i]));
  }
  float scale = largest / kLargest;
  if (!finite) scale = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(out, &scale, kScaleBytes);
  auto* values = reinterpret_cast<std::int8_t*>(out + kScaleBytes);
  // Of so small numbers the scale is rounded to zero, or the quotient is beyond the largest.
  for (std::int64_t i = 0; i < n; ++i) {
    const float value = finite && scale > 0 ? std::nearbyint(row[i] / scale) : 0;
    values[i] = static_cast<std::int8_t>(std::clamp(value, -kLargest, kLargest));
  }
}

void unpack_row(const std::byte* packed, std::int64_t n, float* row) {
  float scale = 0;
  std::memcpy(&scale, packed, kScaleBytes);
  const auto* values = reinterpret_cast<const std::int8_t*>(packed + kScaleBytes);
  for (std::int64_t i = 0; i < n; ++i) row[i] = scale * static_cast<float>(values[i]);
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
  if (wire == WireType::kAsComputed || !spec.is_tensor || spec.dtype != DType::kFloat32)
    return false;
  const bool is_output =
      std::find(model_outputs.begin(), model_outputs.end(), spec.value) != model_outputs.end();
  if (spec.dims.empty() || is_output) return false;
  return wire == WireType::kBFloat16 ||
         (spec.dims.back().is_constant() && spec.dims.back().at({}) >= kShortestRow);
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
  packed.bytes *= (row + kScaleBytes) / (4 * row);
  return packed;
}

Tensor pack(const Tensor& tensor, WireType wire) {
  LINGUA_CHECK(wire != WireType::kAsComputed && tensor.dtype == DType::kFloat32 &&
               !tensor.shape.empty());
  const std::int64_t row = tensor.shape.back();
  Tensor packed;
  if (wire == WireType::kBFloat16) {
    std::byte* out = make_like(tensor, DType::kBFloat16, row, &packed);
    const auto* in = reinterpret_cast<const float*>(tensor.data.get());
    for (std::int64_t i = 0; out != nullptr && i < tensor.elements(); ++i) {
      const std::uint16_t bits = to_bfloat16(in[i]);
      std::memcpy(out + 2 * i, &bits, 2);
    }
    return packed;
  }
  std::byte* out = make_like(tensor, DType::kInt8, row + kScaleBytes, &packed);
  if (out == nullptr || row == 0) return packed;
  const auto* in = reinterpret_cast<const float*>(tensor.data.get());
  for (std::int64_t r = 0; r < tensor.elements() / row; ++r)
    pack_row(in + r * row, row, out + r * (row + kScaleBytes));
  return packed;
}

Tensor unpack(const Tensor& packed, WireType wire) {
  LINGUA_CHECK(wire != WireType::kAsComputed && !packed.shape.empty());
  const bool is_int8 = wire == WireType::kInt8;
  const std::int64_t row = packed.shape.back() - (is_int8 ? kScaleBytes : 0);
  LINGUA_CHECK(row >= 0 && packed.dtype == (is_int8 ? DType::kInt8 : DType::kBFloat16));
  Tensor tensor;
  auto* out = reinterpret_cast<float*>(make_like(packed, DType::kFloat32, row, &tensor));
  if (out == nullptr || row == 0) return tensor;
  if (is_int8) {
    for (std::int64_t r = 0; r < tensor.elements() / row; ++r)
      unpack_row(packed.data.get() + r * (row + kScaleBytes), row, out + r * row);
    return tensor;
  }
  for (std::int64_t i = 0; i < tensor.elements(); ++i) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, packed.data.get() + 2 * i, 2);
    out[i] = from_bfloat16(bits);
  }
  return tensor;
}

}  // namespace lingua
