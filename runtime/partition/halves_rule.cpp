#include <algorithm>
#include <iterator>

#include "runtime/base/errors.h"
#include "runtime/partition/rules.h"
#include "runtime/partition/segments.h"

namespace lingua::internal {
namespace {

bool is_factor(const Graph& graph, const Liveness& live, ValueId id) {
  const Value& root = graph.values[live.root[id]];
  return root.kind == ValueKind::kWeight && root.dims.size() == 1;
}

bool changes_dtype(const Node& node) {
  return node.kind == "aten::to" || node.kind == "aten::type_as" || node.kind == "aten::float";
}

// True when the value is a product with 1 / sqrt(...), but for changes of dtype.
bool is_normalised(const Graph& graph, ValueId id) {
  const auto producer_is = [&](ValueId value, const char* kind) {
    const NodeId producer = graph.values[value].producer;
    return producer >= 0 && graph.nodes[producer].kind == kind;
  };
  while (graph.values[id].producer >= 0 && changes_dtype(graph.nodes[graph.values[id].producer])) {
    id = graph.nodes[graph.values[id].producer].inputs.front();
  }
  if (!producer_is(id, "aten::mul")) return false;
  const std::vector<ValueId>& factors = graph.nodes[graph.values[id].producer].inputs;
  return std::any_of(factors.begin(), factors.end(),
                     [&](ValueId factor) { return producer_is(factor, "aten::rsqrt"); });
}

// A normalisation, or the end of one that is written out: x * rsqrt(mean(x^2) + e), times a factor
// for each element (addcmul where the factor is 1 + weight).
bool is_norm(const Graph& graph, const Liveness& live, const Node& node) {
  if (node.kind.find("layer_norm") != std::string::npos ||
      node.kind.find("rms_norm") != std::string::npos) {
    return true;
  }
  if (node.kind != "aten::mul" && node.kind != "aten::addcmul") return false;
  const auto any = [&](const auto& holds) {
    return std::any_of(node.inputs.begin(), node.inputs.end(), holds);
  };
  return any([&](ValueId id) { return is_factor(graph, live, id); }) &&
         any([&](ValueId id) { return is_normalised(graph, id); });
}

// The last of the changes of dtype that alone use a node's result, or the node itself.
NodeId with_its_casts(const Graph& graph, NodeId node) {
  for (;;) {
    const std::vector<NodeId>& users = graph.values[graph.nodes[node].outputs.front()].users;
    if (users.size() != 1 || !changes_dtype(graph.nodes[users.front()])) return node;
    node = users.front();
  }
}

bool is_projection(const Graph& graph, const Liveness& live, const Node& node) {
  const bool product = node.kind == "aten::linear" || node.kind == "aten::addmm" ||
                       node.kind == "aten::mm" || node.kind == "aten::matmul" ||
                       node.kind == "lingua::linear_int8";
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

std::vector<NodeId> with_cuts_between_pieces(const Graph& graph, const std::vector<NodeId>& after) {
  const std::vector<NodeId> between = cuts_between_pieces(graph);
  std::vector<NodeId> all;
  std::set_union(after.begin(), after.end(), between.begin(), between.end(),
                 std::back_inserter(all));
  return all;
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
  const auto count = static_cast<NodeId>(graph.nodes.size());
  for (NodeId n = 0; n < count; ++n) {
    const Node& node = graph.nodes[n];
    if (node.outputs.empty() || !is_norm(graph, live, node)) continue;
    const NodeId end = with_its_casts(graph, n);
    if (!feeds_only_projections(graph, live, graph.nodes[end].outputs.front())) continue;
    if (end + 1 >= count) continue;
    if (!live.why_not[end].empty()) {
      throw InfeasibleError(
          fmt::format("rule lingualinked cuts {} after node {} ({}), but {}; use rule bytes",
                      graph.model, end, node.scope, live.why_not[end]));
    }
    after.push_back(end);
  }
  if (after.empty()) {
    throw InfeasibleError(
        fmt::format("rule lingualinked needs normalisations that feed nothing but linear "
                    "projections, and {} has "
                    "none; use rule bytes",
                    graph.model));
  }
  after = with_cuts_between_pieces(graph, after);
  check_bounds(graph, live, after, options);
  return after;
}

}  // namespace lingua::internal
