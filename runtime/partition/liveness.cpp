#include "runtime/partition/liveness.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace lingua::internal {
namespace {

// Operations whose result may share the memory of their first operand.
constexpr std::array<std::string_view, 45> kViews = {"aten::slice",
                                                     "aten::select",
                                                     "aten::transpose",
                                                     "aten::view",
                                                     "aten::unsqueeze",
                                                     "aten::expand",
                                                     "aten::permute",
                                                     "aten::narrow",
                                                     "aten::reshape",
                                                     "aten::detach",
                                                     "aten::squeeze",
                                                     "aten::t",
                                                     "aten::expand_as",
                                                     "aten::view_as",
                                                     "aten::reshape_as",
                                                     "aten::unbind",
                                                     "aten::chunk",
                                                     "aten::split",
                                                     "aten::split_with_sizes",
                                                     "aten::tensor_split",
                                                     "aten::unfold",
                                                     "aten::movedim",
                                                     "aten::moveaxis",
                                                     "aten::swapaxes",
                                                     "aten::swapdims",
                                                     "aten::flatten",
                                                     "aten::unflatten",
                                                     "aten::as_strided",
                                                     "aten::diagonal",
                                                     "aten::alias",
                                                     "aten::numpy_T",
                                                     "aten::adjoint",
                                                     "aten::real",
                                                     "aten::contiguous",
                                                     "aten::to",
                                                     "aten::type_as",
                                                     "aten::float",
                                                     "aten::hsplit",
                                                     "aten::vsplit",
                                                     "aten::view_as_real",
                                                     "aten::__getitem__",
                                                     "prim::ListUnpack",
                                                     "prim::TupleUnpack",
                                                     "prim::TupleIndex",
                                                     "aten::broadcast_to"};

// Operations that gather values without copying them.
constexpr std::array<std::string_view, 2> kContainers = {"prim::ListConstruct",
                                                         "prim::TupleConstruct"};

constexpr std::array<std::string_view, 5> kWritingDunders = {
    "aten::__iand__", "aten::__ior__", "aten::__ixor__", "aten::__ilshift__", "aten::__irshift__"};

template <typename Names>
bool one_of(const std::string& kind, const Names& names) {
  return std::find(names.begin(), names.end(), kind) != names.end();
}

bool writes_in_place(const std::string& kind) {
  return (kind.ends_with("_") && !kind.ends_with("__")) || one_of(kind, kWritingDunders);
}

class Analysis {
 public:
  Analysis(const Graph& graph, const Recompute& recompute)
      : graph_(graph), nodes_(static_cast<NodeId>(graph.nodes.size())) {
    find_uses();
    find_roots();
    find_recomputable(recompute.steps);
    live_.norm_chain.resize(graph.values.size());
    if (recompute.norms) live_.norm_chain = norm_chains(graph, live_);
    for (std::size_t id = 0; id < graph.values.size(); ++id)
      live_.recomputable[id] = live_.recomputable[id] || !live_.norm_chain[id].empty();
    live_.why_not.resize(nodes_ > 0 ? static_cast<std::size_t>(nodes_) - 1 : 0);
    for (ValueId id = 0; id < static_cast<ValueId>(graph.values.size()); ++id) forbid_around(id);
    forbid_writes();
  }

  Liveness take() { return std::move(live_); }

 private:
  void find_uses() {
    live_.first_use.assign(graph_.values.size(), nodes_);
    live_.last_use.assign(graph_.values.size(), -1);
    for (NodeId n = 0; n < nodes_; ++n) {
      for (ValueId id : graph_.nodes[n].inputs) {
        live_.first_use[id] = std::min(live_.first_use[id], n);
        live_.last_use[id] = n;
      }
    }
    for (ValueId id : graph_.outputs) live_.last_use[id] = nodes_;
  }

  void find_roots() {
    live_.root.resize(graph_.values.size());
    live_.writers.resize(graph_.values.size());
    for (ValueId id = 0; id < static_cast<ValueId>(graph_.values.size()); ++id) {
      live_.root[id] = id;
    }
    for (NodeId n = 0; n < nodes_; ++n) {
      const Node& node = graph_.nodes[n];
      if (node.inputs.empty()) continue;
      const bool writes = writes_in_place(node.kind);
      const ValueId target = live_.root[node.inputs.front()];
      if (writes) live_.writers[target].push_back(n);
      ValueId shared = writes || one_of(node.kind, kViews) ? target : -1;
      if (one_of(node.kind, kContainers)) shared = state_among(node.inputs);
      if (shared < 0) continue;
      for (ValueId output : node.outputs) live_.root[output] = shared;
    }
  }

  ValueId state_among(const std::vector<ValueId>& values) const {
    for (ValueId id : values) {
      const ValueId root = live_.root[id];
      if (graph_.values[root].kind == ValueKind::kState) return root;
    }
    return -1;
  }

  void find_recomputable(bool steps) {
    live_.recomputable.assign(graph_.values.size(), false);
    if (!steps) return;
    for (const Node& node : graph_.nodes) {
      for (ValueId id : node.outputs) live_.recomputable[id] = node.step_only;
    }
    for (ValueId id : graph_.outputs) live_.recomputable[id] = false;
    for (bool changed = true; changed;) {
      changed = false;
      for (const Node& node : graph_.nodes) {
        for (ValueId id : node.outputs) {
          if (!live_.recomputable[id] || is_known_again(node, id)) continue;
          live_.recomputable[id] = false;
          changed = true;
        }
      }
    }
  }

  // Whether all is at hand that makes a value of a node, and writes to it.
  bool is_known_again(const Node& node, ValueId output) const {
    const auto known = [&](ValueId id) {
      const ValueKind kind = graph_.values[id].kind;
      return kind == ValueKind::kStep || kind == ValueKind::kWeight || live_.recomputable[id];
    };
    const auto& writers = live_.writers[live_.root[output]];
    return std::all_of(node.inputs.begin(), node.inputs.end(), known) &&
           std::all_of(writers.begin(), writers.end(), [&](NodeId writer) {
             const Node& writes = graph_.nodes[writer];
             return writes.step_only &&
                    std::all_of(writes.inputs.begin(), writes.inputs.end(), known);
           });
  }

  void forbid(NodeId from, NodeId to, const std::string& reason) {  // the cuts after from .. to - 1
    from = std::max(from, 0);
    to = std::min(to, nodes_ - 1);
    for (NodeId c = from; c < to; ++c) {
      if (live_.why_not[c].empty()) live_.why_not[c] = reason;
    }
  }

  std::string describe(ValueId id) const {
    const NodeId producer = graph_.values[id].producer;
    return fmt::format("'{}'{}", graph_.values[id].name,
                       producer < 0 ? "" : fmt::format(" ({})", graph_.nodes[producer].kind));
  }

  void forbid_around(ValueId id) {
    const Value& value = graph_.values[id];
    const NodeId last = live_.last_use[id];
    if (value.kind == ValueKind::kState) {
      forbid(live_.first_use[id], last,
             fmt::format("state '{}' is used on both sides", value.name));
    }
    if (!is_sent(value) || live_.recomputable[id]) return;
    const ValueId root = live_.root[id];
    if (graph_.values[root].kind == ValueKind::kState) {
      forbid(value.producer, last,
             fmt::format("{} is a view of state '{}'", describe(id), graph_.values[root].name));
    }
    if (!value.can_be_sent) {
      forbid(value.producer, last,
             fmt::format("{} cannot be sent: {}", describe(id),
                         value.is_tensor ? "it is written in place" : "it is a list"));
    }
  }

  // A value and all that share its memory stay together until the last write to it.
  void forbid_writes() {
    for (ValueId id = 0; id < static_cast<ValueId>(graph_.values.size()); ++id) {
      if (live_.writers[id].empty()) continue;
      const NodeId writer = live_.writers[id].back();
      const std::string reason =
          fmt::format("{} is written in place by {}", describe(id), graph_.nodes[writer].kind);
      if (graph_.values[id].producer >= 0) {
        forbid(graph_.values[id].producer, writer, reason);
      } else {
        const auto [first, last] = family_uses(id);
        forbid(first, last, reason);
      }
    }
  }

  std::pair<NodeId, NodeId> family_uses(ValueId root) const {
    NodeId first = nodes_;
    NodeId last = -1;
    for (std::size_t id = 0; id < live_.root.size(); ++id) {
      if (live_.root[id] != root) continue;
      first = std::min(first, live_.first_use[id]);
      last = std::max(last, live_.last_use[id]);
    }
    return {first, last};
  }

  const Graph& graph_;
  NodeId nodes_;
  Liveness live_;
};

}  // namespace

bool is_sent(const Value& value) {
  return value.kind == ValueKind::kActivation || value.kind == ValueKind::kInput;
}

Liveness analyse(const Graph& graph, const Recompute& recompute) {
  return Analysis(graph, recompute).take();
}

}  // namespace lingua::internal
