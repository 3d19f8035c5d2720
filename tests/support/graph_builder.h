#pragma once
// Builds small graphs by hand, keeping what check_graph() demands.
//
// Costs follow one rule for every node: bytes_moved are its operands and results (views free),
// flops are what the caller says. A node is step-only when all it reads is.

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "runtime/model/graph.h"

namespace lingua::testing {

inline const StepFunction kNew{{0, 1, 0, 0, 0, 0}};    // n
inline const StepFunction kTotal{{0, 1, 1, 0, 0, 0}};  // n + p

struct NodeOptions {
  std::string scope = {};
  StepFunction flops = {};
  DType dtype = DType::kFloat32;
  bool is_tensor = true;
  bool can_be_sent = true;
  bool view = false;     // costs no memory traffic
  bool produces = true;  // false: no output
};

class GraphBuilder {
 public:
  explicit GraphBuilder(std::string model) { graph_.model = std::move(model); }

  ValueId input(const std::string& name, std::vector<StepFunction> dims,
                DType dtype = DType::kInt64) {
    const ValueId id = add(name, ValueKind::kInput, dtype, std::move(dims));
    graph_.inputs.push_back(id);
    return id;
  }
  ValueId step(const std::string& name, StepScalar scalar) {
    const ValueId id = add(name, ValueKind::kStep, DType::kInt64, {});
    graph_.values[id].is_tensor = false;
    graph_.values[id].step_scalar = scalar;
    graph_.inputs.push_back(id);
    return id;
  }
  ValueId state(const std::string& name, std::vector<std::int64_t> shape) {
    const ValueId id = add(name, ValueKind::kState, DType::kFloat32, {});
    graph_.values[id].state_shape = std::move(shape);
    return id;
  }
  ValueId weight(const std::string& name, const std::vector<std::int64_t>& shape,
                 DType dtype = DType::kFloat32) {
    std::vector<StepFunction> dims;
    for (std::int64_t dim : shape) dims.emplace_back(static_cast<double>(dim));
    return add(name, ValueKind::kWeight, dtype, std::move(dims));
  }

  // Adds a node and returns its output (-1 when it produces none).
  ValueId node(const std::string& kind, std::vector<ValueId> inputs, std::vector<StepFunction> dims,
               const NodeOptions& options = {}) {
    const auto id = static_cast<NodeId>(graph_.nodes.size());
    Node node;
    node.kind = kind;
    node.scope = options.scope;
    node.flops = options.flops;
    node.step_only = true;
    for (ValueId operand : inputs) {
      Value& value = graph_.values.at(static_cast<std::size_t>(operand));
      if (value.users.empty() || value.users.back() != id) value.users.push_back(id);
      const bool constant = value.kind == ValueKind::kStep || value.kind == ValueKind::kWeight;
      node.step_only &= constant || (value.producer >= 0 && graph_.nodes[value.producer].step_only);
      if (!options.view && value.is_tensor) node.bytes_moved += value.bytes();
    }
    node.inputs = std::move(inputs);
    ValueId result = -1;
    if (options.produces) {
      result = add(fmt::format("v{}", graph_.values.size()), ValueKind::kActivation, options.dtype,
                   std::move(dims));
      Value& value = graph_.values[result];
      value.producer = id;
      value.is_tensor = options.is_tensor;
      value.can_be_sent = options.can_be_sent;
      node.outputs = {result};
      if (!options.view && options.is_tensor) node.bytes_moved += value.bytes();
    }
    graph_.nodes.push_back(std::move(node));
    return result;
  }

  Node& last_node() { return graph_.nodes.back(); }
  Value& value(ValueId id) { return graph_.values.at(static_cast<std::size_t>(id)); }

  Graph finish(std::vector<ValueId> outputs) {
    graph_.outputs = std::move(outputs);
    check_graph(graph_);
    return std::move(graph_);
  }

 private:
  ValueId add(const std::string& name, ValueKind kind, DType dtype,
              std::vector<StepFunction> dims) {
    Value value;
    value.name = name;
    value.kind = kind;
    value.dtype = dtype;
    value.dims = std::move(dims);
    graph_.values.push_back(std::move(value));
    return static_cast<ValueId>(graph_.values.size()) - 1;
  }

  Graph graph_;
};

}  // namespace lingua::testing
