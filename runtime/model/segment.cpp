#include "runtime/model/segment.h"

#include <algorithm>

namespace lingua {

double StateSpec::bytes(std::int64_t capacity) const {
  auto bytes = static_cast<double>(dtype_bytes(dtype));
  for (std::int64_t dim : shape) bytes *= static_cast<double>(dim == kCapacity ? capacity : dim);
  return bytes;
}

std::vector<std::int64_t> StateSpec::shape_for(std::int64_t tokens) const {
  std::vector<std::int64_t> dims = shape;
  std::replace(dims.begin(), dims.end(), kCapacity, tokens);
  return dims;
}

std::int64_t WeightSpec::bytes() const {
  std::int64_t bytes = dtype_bytes(dtype);
  for (std::int64_t dim : shape) bytes *= dim;
  return bytes;
}

double Segment::weights_bytes() const {
  double sum = 0;
  for (const WeightSpec& weight : weights) sum += static_cast<double>(weight.bytes());
  return sum;
}

double Segment::activation_bytes(const Step& step) const {
  double border = 0;
  for (const TensorSpec& spec : inputs) border += spec.bytes.at(step);
  for (const TensorSpec& spec : outputs) border += spec.bytes.at(step);
  double inner = 0;
  for (const StepFunction& bytes : inner_bytes) inner = std::max(inner, bytes.at(step));
  return 2 * border + inner;
}

double Segment::state_bytes(std::int64_t capacity) const {
  double sum = 0;
  for (const StateSpec& spec : state) sum += spec.bytes(capacity);
  return sum;
}

SegmentId producer_of(const Segmentation& segmentation, ValueId value) {
  for (const Segment& segment : segmentation.segments) {
    for (const TensorSpec& output : segment.outputs) {
      if (output.value == value) return segment.id;
    }
  }
  return -1;
}

}  // namespace lingua
