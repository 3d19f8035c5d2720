#include <algorithm>

#include "runtime/base/errors.h"
#include "runtime/partition/rules.h"
#include "runtime/partition/segments.h"

namespace lingua::internal {
namespace {

bool is_norm(const Node& node) {
  return node.kind.find("layer_norm") != std::string::npos ||
         node.kind.find("rms_norm") != std::string::npos;
}

bool is_projection(const Graph& graph, const Liveness& live, const Node& node) {
  const bool product = node.kind == "aten::linear" || node.kind == "aten::addmm" ||
                       node.kind == "aten::mm" || node.kind == "aten::matmul";
  return product && std::any_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
           return graph.values[live.root[id]].kind == ValueKind::kWeight;
         });
}

// True when the value, or views of it, are read by linear projections alone.
bool feeds_only_projections(const Graph& graph, const Liveness& live, ValueId id) {
  if (graph.values[id].users.empty()) return false;
  return std::all_of(graph.values[id].users.begin(), graph.values[id].users.end(), [&](NodeId n) {
    const Node& user = graph.nodes[n];
    const bool view = user.outputs.size() == 1 && live.root[user.outputs[0]] == live.root[id];
    return view ? feeds_only_projections(graph, live, user.outputs[0])
                : is_projection(graph, live, user);
  });
}

void check_bounds(const Graph& graph, const Liveness& live, const std::vector<NodeId>& after,
                  const PartitionOptions& options) {
  if (static_cast<int>(after.size()) >= options.max_segments) {
    throw InfeasibleError(
        fmt::format("rule lingualinked cuts {} into {} segments; max_segments is {}", graph.model,
                    after.size() + 1, options.max_segments));
  }
  if (options.max_segment_bytes <= 0) return;
  NodeId first = 0;
  for (std::size_t i = 0; i <= after.size(); ++i) {
    const NodeId last = i < after.size() ? after[i] : static_cast<NodeId>(graph.nodes.size()) - 1;
    const double bytes = weights_bytes(graph, live, first, last);
    if (bytes > options.max_segment_bytes) {
      throw InfeasibleError(
          fmt::format("rule lingualinked gives segment {} of {} weights of {:.0f} bytes; "
                      "max_segment_bytes is {:.0f}",
                      i, graph.model, bytes, options.max_segment_bytes));
    }
    first = last + 1;
  }
}

}  // namespace

std::vector<NodeId> cuts_by_halves(const Graph& graph, const Liveness& live,
                                   const PartitionOptions& options) {
  std::vector<NodeId> after;
  for (NodeId n = 0; n + 1 < static_cast<NodeId>(graph.nodes.size()); ++n) {
    const Node& node = graph.nodes[n];
    if (!is_norm(node) || node.outputs.empty()) continue;
    if (!feeds_only_projections(graph, live, node.outputs.front())) continue;
    if (!live.why_not[n].empty()) {
      throw InfeasibleError(fmt::format("rule lingualinked cuts {} after node {} ({}), but {}",
                                        graph.model, n, node.scope, live.why_not[n]));
    }
    after.push_back(n);
  }
  if (after.empty()) {
    throw InfeasibleError(
        fmt::format("rule lingualinked needs normalisations that feed nothing but linear "
                    "projections, and {} has "
                    "none; use rule bytes",
                    graph.model));
  }
  check_bounds(graph, live, after, options);
  return after;
}

}  // namespace lingua::internal
