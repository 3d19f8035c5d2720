#include "runtime/model/segmentation_digest.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>

#include "runtime/base/files.h"

namespace lingua {
namespace {

std::string shapes_of(const std::vector<TensorSpec>& tensors) {
  std::string text;
  for (const TensorSpec& tensor : tensors) {
    text += "(";
    for (const StepFunction& dim : tensor.dims) text += fmt::format("{};", dim.coefficients());
    text += ")";
  }
  return text;
}

// A weight that is held in two forms, as NAME and NAME:int8, counts once.
std::string weights_of(const Segment& segment) {
  std::set<std::string> rows;
  for (const WeightSpec& weight : segment.weights) {
    rows.insert(fmt::format("{} {}", weight.name.substr(0, weight.name.find(':')),
                            weight.shape.empty() ? 1 : weight.shape.front()));
  }
  return fmt::format("{}", fmt::join(rows, ","));
}

}  // namespace

std::string digest_of(const Segmentation& segmentation) {
  std::string text = shapes_of(segmentation.model_inputs);
  for (const Segment& segment : segmentation.segments) {
    text += fmt::format("\n{}|{}|{}|{}|", segment.name, weights_of(segment),
                        shapes_of(segment.inputs), shapes_of(segment.outputs));
    for (const StateSpec& state : segment.state) text += fmt::format("{};", state.shape);
  }
  return fmt::format("{:016x}", checksum(text));
}

}  // namespace lingua
