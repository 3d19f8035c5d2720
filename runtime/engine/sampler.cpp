#include "runtime/engine/sampler.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "runtime/base/errors.h"

namespace lingua {
namespace {

float bfloat16_at(const std::byte* data, std::int64_t i) {
  std::uint16_t half = 0;
  std::memcpy(&half, data + 2 * i, 2);
  return std::bit_cast<float>(static_cast<std::uint32_t>(half) << 16);
}

float float32_at(const std::byte* data, std::int64_t i) {
  float value = 0;
  std::memcpy(&value, data + 4 * i, 4);
  return value;
}

template <class At>
TokenId largest(const std::byte* row, std::int64_t count, At at) {
  TokenId best = kNoToken;
  float best_value = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const float value = at(row, i);
    if (std::isnan(value) || (best != kNoToken && value <= best_value)) continue;
    best = i;
    best_value = value;
  }
  if (best == kNoToken) throw WorldError("the logits are not numbers: no token can be chosen");
  return best;
}

}  // namespace

TokenId greedy_token(const Tensor& logits) {
  if (!logits.has_data()) return kNoToken;
  if (logits.shape.empty() || logits.elements() == 0) {
    throw WorldError("the logits are empty: no token can be chosen");
  }
  const std::int64_t vocabulary = logits.shape.back();
  const std::byte* row =
      logits.data.get() + (logits.elements() - vocabulary) * dtype_bytes(logits.dtype);
  switch (logits.dtype) {
    case DType::kFloat32: return largest(row, vocabulary, float32_at);
    case DType::kBFloat16: return largest(row, vocabulary, bfloat16_at);
    default:
      throw WorldError(fmt::format("logits of dtype {} give no token; float32 and bfloat16 do",
                                   dtype_name(logits.dtype)));
  }
}

}  // namespace lingua
