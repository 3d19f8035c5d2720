#include "runtime/partition/segments.h"

#include <algorithm>
#include <utility>

#include "runtime/base/errors.h"

namespace lingua::internal {
namespace {

TensorSpec tensor_spec(const Graph& graph, ValueId id) {
  const Value& value = graph.values[id];
  return {id, value.name, value.dtype, value.is_tensor, value.dims, value.bytes()};
}

WeightSpec weight_spec(const Value& value) {
  WeightSpec spec{value.name, value.dtype, {}};
  for (const StepFunction& dim : value.dims) {
    LINGUA_CHECK(dim.is_constant(), "weight {} has a dimension {}", value.name, dim.to_string());
    spec.shape.push_back(static_cast<std::int64_t>(dim.coefficients()[0]));
  }
  return spec;
}

// What a node reads of weights however many rows there are: all of them, or nothing of a table that it
// looks up.
double weights_read(const Graph& graph, const Node& node) {
  double weights = 0;
  for (ValueId id : node.inputs) {
    const Value& value = graph.values[id];
    if (value.kind == ValueKind::kWeight) weights += value.bytes().at({});
  }
  return std::min(weights, std::max(0.0, node.bytes_moved.coefficients()[0]));
}

Segment make_segment(const Graph& graph, const Liveness& live, NodeId first, NodeId last) {
  Segment segment;
  segment.first_node = first;
  segment.last_node = last;
  NodeRange range(graph, live, first);
  const auto add_cost = [&](NodeId n) {
    segment.flops += graph.nodes[n].flops;
    segment.bytes_moved += graph.nodes[n].bytes_moved;
    segment.weights_read += weights_read(graph, graph.nodes[n]);
  };
  for (NodeId n = first; n <= last; ++n) {
    range.add(n);
    add_cost(n);
    for (ValueId id : graph.nodes[n].outputs) {
      if (live.last_use[id] > last && !live.recomputable[id]) {
        segment.outputs.push_back(tensor_spec(graph, id));
      }
    }
  }
  for (NodeId n : range.recomputed()) add_cost(n);
  segment.inner_bytes = inner_bytes(graph, live, range.recomputed(), first, last);
  segment.recomputed.assign(range.recomputed().begin(), range.recomputed().end());
  for (ValueId id : range.steps()) {
    const StepScalar scalar = graph.values[id].step_scalar;
    auto& scalars = segment.step_scalars;
    if (std::find(scalars.begin(), scalars.end(), scalar) == scalars.end()) {
      scalars.push_back(scalar);
    }
  }
  std::sort(segment.step_scalars.begin(), segment.step_scalars.end());
  for (ValueId id : range.inputs()) segment.inputs.push_back(tensor_spec(graph, id));
  for (ValueId id : range.states()) {
    const Value& value = graph.values[id];
    segment.state.push_back({id, value.name, value.dtype, value.state_shape});
  }
  for (ValueId id : range.weights()) segment.weights.push_back(weight_spec(graph.values[id]));
  return segment;
}

}  // namespace

void NodeRange::add(NodeId node) {
  for (ValueId id : graph_.nodes[node].inputs) need(id);
}

void NodeRange::need(ValueId id) {
  const Value& value = graph_.values[id];
  switch (value.kind) {
    case ValueKind::kStep: steps_.insert(id); return;
    case ValueKind::kState: states_.insert(id); return;
    case ValueKind::kInput: inputs_.insert(id); return;
    case ValueKind::kWeight:
      if (weight_names_.insert(value.name).second) {
        weights_.push_back(id);
        weights_bytes_ += value.bytes().at({});
      }
      return;
    case ValueKind::kActivation: break;
  }
  if (value.producer >= first_) return;
  if (!live_.recomputable[id]) {
    inputs_.insert(id);
    return;
  }
  if (!live_.norm_chain[id].empty()) {
    recompute_norm(live_.norm_chain[id]);
    return;
  }
  recompute(value.producer);
  for (NodeId writer : live_.writers[live_.root[id]]) {
    if (writer < first_) recompute(writer);
  }
}

void NodeRange::recompute(NodeId node) {
  if (recomputed_.insert(node).second) add(node);
}

void NodeRange::recompute_norm(const std::vector<NodeId>& chain) {
  for (NodeId node : chain) {
    if (!recomputed_.insert(node).second) continue;
    for (ValueId id : graph_.nodes[node].inputs) {
      if (!std::binary_search(chain.begin(), chain.end(), graph_.values[id].producer)) need(id);
    }
  }
}

double weights_bytes(const Graph& graph, const Liveness& live, NodeId first, NodeId last) {
  NodeRange range(graph, live, first);
  for (NodeId n = first; n <= last; ++n) range.add(n);
  return range.weights_bytes();
}

Segmentation make_segments(const Graph& graph, const Liveness& live,
                           const std::vector<NodeId>& after) {
  LINGUA_CHECK(!graph.nodes.empty(), "the graph of '{}' has no operations", graph.model);
  Segmentation result;
  result.model = graph.model;
  NodeId first = 0;
  const auto add_until = [&](NodeId last) {
    result.segments.push_back(make_segment(graph, live, first, last));
    result.segments.back().id = static_cast<SegmentId>(result.segments.size()) - 1;
    first = last + 1;
  };
  for (NodeId cut : after) {
    LINGUA_CHECK(cut >= first && cut + 1 < static_cast<NodeId>(graph.nodes.size()),
                 "a cut after node {} of {}", cut, graph.nodes.size());
    LINGUA_CHECK(live.why_not[cut].empty(), "a cut after node {}: {}", cut, live.why_not[cut]);
    add_until(cut);
  }
  add_until(static_cast<NodeId>(graph.nodes.size()) - 1);
  for (ValueId id : graph.inputs) {
    if (graph.values[id].kind == ValueKind::kInput) {
      result.model_inputs.push_back(tensor_spec(graph, id));
    }
  }
  result.model_outputs = graph.outputs;
  result.freedom = graph.freedom;
  name_segments(graph, result.segments);
  return result;
}

}  // namespace lingua::internal
