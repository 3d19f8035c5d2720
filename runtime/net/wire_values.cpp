#include "runtime/net/wire_values.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "runtime/base/errors.h"

namespace lingua::internal {

void refuse(const char* field, const std::string& what) {
  throw InputError(fmt::format("message: {}: {}", field, what));
}

std::int64_t in_range(const char* field, std::int64_t value, std::int64_t low, std::int64_t high) {
  if (value < low || value > high) {
    refuse(field, fmt::format("{} is not in {} .. {}", value, low, high));
  }
  return value;
}

double finite(const char* field, double value) {
  if (!std::isfinite(value)) refuse(field, "the number is not finite");
  return value;
}

double not_negative(const char* field, double value) {
  if (finite(field, value) < 0) refuse(field, fmt::format("{} is negative", value));
  return value;
}

DType decode_dtype(int dtype) {
  return static_cast<DType>(in_range("dtype", dtype, 0, static_cast<int>(DType::kBool)));
}

StepFunction decode_function(const wire::StepFunction& in) {
  std::array<double, 6> coefficients{};
  if (in.coefficients_size() == 0) return StepFunction();
  if (in.coefficients_size() != 6) {
    refuse("coefficients", fmt::format("{} of them; 0 or 6 are accepted", in.coefficients_size()));
  }
  for (int i = 0; i < 6; ++i) coefficients[i] = finite("coefficients", in.coefficients(i));
  return StepFunction(coefficients);
}

TensorSpec decode_tensor_spec(const wire::TensorSpec& in) {
  TensorSpec spec;
  spec.value = static_cast<ValueId>(in_range("value", in.value(), -1, INT32_MAX));
  spec.name = in.name();
  spec.dtype = decode_dtype(in.dtype());
  spec.is_tensor = in.is_tensor();
  in_range("number of dimensions", in.dims_size(), 0, kMaxDims);
  for (const wire::StepFunction& dim : in.dims()) spec.dims.push_back(decode_function(dim));
  spec.bytes = decode_function(in.size());
  return spec;
}

Segment decode_segment(const wire::SegmentSpec& in) {
  Segment segment;
  segment.id = static_cast<SegmentId>(in_range("segment", in.id(), 0, INT32_MAX));
  segment.name = in.name();
  segment.first_node = static_cast<NodeId>(in_range("first node", in.first_node(), -1, INT32_MAX));
  segment.last_node = static_cast<NodeId>(in_range("last node", in.last_node(), -1, INT32_MAX));
  segment.recomputed.assign(in.recomputed().begin(), in.recomputed().end());
  for (int scalar : in.step_scalars()) {
    segment.step_scalars.push_back(static_cast<StepScalar>(
        in_range("step scalar", scalar, 0, static_cast<int>(StepScalar::kCachedTokens))));
  }
  for (const auto& spec : in.inputs()) segment.inputs.push_back(decode_tensor_spec(spec));
  for (const wire::StateSpec& spec : in.state()) {
    const DType dtype = decode_dtype(spec.dtype());
    segment.state.push_back({static_cast<ValueId>(in_range("value", spec.value(), -1, INT32_MAX)),
                             spec.name(), dtype, decode_shape(spec.shape(), dtype, kCapacity)});
  }
  for (const wire::WeightSpec& spec : in.weights()) {
    const DType dtype = decode_dtype(spec.dtype());
    segment.weights.push_back({spec.name(), dtype, decode_shape(spec.shape(), dtype, 0)});
  }
  for (const auto& spec : in.outputs()) segment.outputs.push_back(decode_tensor_spec(spec));
  segment.flops = decode_function(in.flops());
  segment.bytes_moved = decode_function(in.bytes_moved());
  segment.weights_read = not_negative("weights_read", in.weights_read());
  for (const auto& bytes : in.inner_bytes()) segment.inner_bytes.push_back(decode_function(bytes));
  return segment;
}

EventRow decode_row(const wire::EventRow& in) {
  EventRow row;
  row.who = in.who();
  row.what = in.what();
  row.segment = in.segment();
  row.request = in.request();
  row.step = in.step();
  row.start = Seconds(finite("start", in.start()));
  row.end = Seconds(finite("end", in.end()));
  row.bytes = not_negative("bytes", in.size());
  return row;
}

}  // namespace lingua::internal
