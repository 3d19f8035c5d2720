#include "runtime/model/segment.h"

namespace lingua {

double StateSpec::bytes(std::int64_t capacity) const {
  auto bytes = static_cast<double>(dtype_bytes(dtype));
  for (std::int64_t dim : shape) bytes *= static_cast<double>(dim == kCapacity ? capacity : dim);
  return bytes;
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
