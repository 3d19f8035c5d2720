#pragma once
// A segment: a contiguous piece of the graph that runs alone, the unit of assignment.
//
// A Segment says everything that a planner, a device or a simulator has to know of a piece of the
// model: what goes in and out and how large it is, which weights and states it needs, what it
// costs. What it computes is in its program (lite-interpreter bytes), made by torch/ and sent
// beside it.
// Units: FLOPs, bytes. Ownership: a plain value.

#include <string>
#include <vector>

#include "runtime/model/graph.h"

namespace lingua {

struct TensorSpec {  // an activation that crosses the border of a segment
  ValueId value = -1;
  std::string name;
  DType dtype = DType::kFloat32;
  bool is_tensor = true;  // false: a plain number
  std::vector<StepFunction> dims;
  StepFunction bytes;
  bool operator==(const TensorSpec&) const = default;
};

struct StateSpec {
  ValueId value = -1;
  std::string name;
  DType dtype = DType::kFloat32;
  std::vector<std::int64_t> shape;  // constants, and kCapacity once

  double bytes(std::int64_t capacity) const;
  // With so many tokens in place of the capacity.
  std::vector<std::int64_t> shape_for(std::int64_t tokens) const;
  bool operator==(const StateSpec&) const = default;
};

struct WeightSpec {
  std::string name;  // the same name in two segments is the same weight
  DType dtype = DType::kFloat32;
  std::vector<std::int64_t> shape;

  std::int64_t bytes() const;
  bool operator==(const WeightSpec&) const = default;
};

struct Segment {
  SegmentId id = 0;  // its place in the model: 0 .. count - 1
  std::string name;  // "h.3 attention", for people
  NodeId first_node = 0;
  NodeId last_node = 0;            // inclusive
  std::vector<NodeId> recomputed;  // nodes before first_node that it runs again
  // Operands of the program, in this order: step scalars, inputs, state, weights.
  std::vector<StepScalar> step_scalars;
  std::vector<TensorSpec> inputs;  // kInput values and activations of earlier segments
  std::vector<StateSpec> state;
  std::vector<WeightSpec> weights;
  std::vector<TensorSpec> outputs;  // used by later segments, or returned by the model
  StepFunction flops;
  StepFunction bytes_moved;
  double weights_read = 0;  // of bytes_moved: once for all steps that run as one
  // Of values that live and die inside it, alive together: the largest of these counts at a step.
  std::vector<StepFunction> inner_bytes;

  double weights_bytes() const;
  double state_bytes(std::int64_t capacity) const;
  // What a step takes while it runs: inputs and outputs twice, as tensors and as messages, and the most
  // that lives inside at once.
  double activation_bytes(const Step& step) const;
  bool operator==(const Segment&) const = default;
};

// The whole model cut into segments, with what connects them.
struct Segmentation {
  std::string model;
  std::string rule;  // how the cuts were chosen
  std::vector<Segment> segments;
  std::vector<TensorSpec> model_inputs;  // kInput values: given to the header
  std::vector<ValueId> model_outputs;    // values the last device must hold in the end
  StepFreedom freedom;
};

// The segment that makes a value, or -1 for a model input.
SegmentId producer_of(const Segmentation& segmentation, ValueId value);

}  // namespace lingua
