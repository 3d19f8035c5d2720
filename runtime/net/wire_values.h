#pragma once
// Values of the wire format that stand in one frame, decoded: numbers within bounds, shapes, segments, rows.
//
// Errors: InputError "message: FIELD: what is wrong".

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "runtime/net/wire_internal.h"

namespace lingua::internal {

[[noreturn]] void refuse(const char* field, const std::string& what);
std::int64_t in_range(const char* field, std::int64_t value, std::int64_t low, std::int64_t high);
double finite(const char* field, double value);
double not_negative(const char* field, double value);

DType decode_dtype(int dtype);
// Dimensions of a tensor, state or weight. `lowest` is kCapacity where one may stand.
template <class Dims>
std::vector<std::int64_t> decode_shape(const Dims& dims, DType dtype, std::int64_t lowest) {
  if (dims.size() > kMaxDims) {
    refuse("shape", fmt::format("{} dimensions; at most {} are accepted", dims.size(), kMaxDims));
  }
  std::int64_t bytes = dtype_bytes(dtype);
  for (std::int64_t dim : dims) {
    in_range("shape", dim, lowest, kMaxDim);
    if (__builtin_mul_overflow(bytes, std::max<std::int64_t>(dim, 1), &bytes) ||
        bytes > kMaxTensorBytes) {
      refuse("shape", fmt::format("more than {} bytes", kMaxTensorBytes));
    }
  }
  return {dims.begin(), dims.end()};
}

TensorSpec decode_tensor_spec(const wire::TensorSpec& in);
Segment decode_segment(const wire::SegmentSpec& in);
EventRow decode_row(const wire::EventRow& in);

}  // namespace lingua::internal
