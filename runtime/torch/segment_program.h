#pragma once
// Programs of segments, cut out of a flat forward, for the lite interpreter.
//
// Internal to torch/. A program holds operations and small constants, no weights. Its forward takes
// the operands in the order of Segment and returns a tuple of the outputs (None when there
// are none).
// Determinism: the same segment gives the same bytes.

#include <string>
#include <unordered_map>
#include <vector>

#include "runtime/model/segment.h"
#include "runtime/torch/script_graph.h"

namespace lingua {

// What the ids of a Graph stand for.
struct GraphMapping {
  std::vector<torch::jit::Value*> values;
  std::vector<torch::jit::Node*> nodes;
  std::unordered_map<std::string, torch::jit::Value*> weights;  // by name
  std::unordered_map<int, torch::jit::Value*> step_scalars;     // by StepScalar
};

// REQUIRES: the segment is one of the graph that the mapping belongs to. Errors: InputError when
// the lite interpreter cannot express an operation.
std::string make_program(const std::string& model, const GraphMapping& mapping,
                         const Segment& segment);

}  // namespace lingua
