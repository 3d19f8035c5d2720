#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "runtime/partition/liveness.h"

namespace lingua::internal {
namespace {

constexpr std::size_t kLongestChain = 16;
constexpr double kMostWeights = 4;  // in results of one new token

// Norms, what they are written with, and changes of dtype.
constexpr std::array<std::string_view, 22> kNormKinds = {
    "aten::layer_norm", "aten::rms_norm", "lingua::layer_norm", "lingua::rms_norm",
    "aten::add",        "aten::sub",      "aten::rsub",         "aten::mul",
    "aten::div",        "aten::neg",      "aten::pow",          "aten::square",
    "aten::sqrt",       "aten::rsqrt",    "aten::reciprocal",   "aten::mean",
    "aten::addcmul",    "aten::to",       "aten::type_as",      "aten::float",
    "prim::dtype",      "aten::abs"};

bool is_norm_kind(const std::string& kind) {
  return std::find(kNormKinds.begin(), kNormKinds.end(), kind) != kNormKinds.end();
}

bool is_no_larger(const StepFunction& a, const StepFunction& b) {
  for (std::size_t i = 0; i < a.coefficients().size(); ++i) {
    if (a.coefficients()[i] > b.coefficients()[i]) return false;
  }
  return true;
}

// Walks back from a value to the one that it is made of.
class Walk {
 public:
  Walk(const Graph& graph, const Liveness& live, const std::vector<std::vector<NodeId>>& norm_chain,
       ValueId result)
      : graph_(graph), live_(live), norm_chain_(norm_chain), result_(result) {}

  std::vector<NodeId> chain() {
    const Value& result = graph_.values[result_];
    if (!take(result.producer) || source_ < 0) return {};
    if (!is_no_larger(graph_.values[source_].bytes(), result.bytes())) return {};
    double weights = 0;
    for (const ValueId id : weights_) weights += graph_.values[id].bytes().at({});
    if (weights > kMostWeights * result.bytes().at({1, 0})) return {};
    return {nodes_.begin(), nodes_.end()};
  }

 private:
  bool take(NodeId n) {
    if (n < 0) return false;
    if (!nodes_.insert(n).second) return true;
    const Node& node = graph_.nodes[n];
    return nodes_.size() <= kLongestChain && is_norm_kind(node.kind) && node.outputs.size() == 1 &&
           std::all_of(node.inputs.begin(), node.inputs.end(),
                       [&](ValueId id) { return take_operand(id); });
  }

  bool take_operand(ValueId id) {
    const Value& value = graph_.values[id];
    if (!live_.writers[live_.root[id]].empty()) return false;
    if (value.kind == ValueKind::kWeight) {
      weights_.insert(id);
      return true;
    }
    if (value.kind == ValueKind::kStep || live_.recomputable[id]) return true;
    if (!is_sent(value)) return false;
    if (live_.last_use[id] < live_.last_use[result_] || !norm_chain_[id].empty())
      return take(value.producer);
    const bool is_first = source_ < 0;
    if (is_first) source_ = id;
    return value.is_tensor && (is_first || source_ == id);
  }

  const Graph& graph_;
  const Liveness& live_;
  const std::vector<std::vector<NodeId>>& norm_chain_;
  ValueId result_;
  ValueId source_ = -1;
  std::set<NodeId> nodes_;
  std::set<ValueId> weights_;
};

}  // namespace

std::vector<std::vector<NodeId>> norm_chains(const Graph& graph, const Liveness& live) {
  std::vector<std::vector<NodeId>> chains(graph.values.size());
  for (const Node& node : graph.nodes) {
    for (const ValueId id : node.outputs) {
      const bool is_output =
          std::find(graph.outputs.begin(), graph.outputs.end(), id) != graph.outputs.end();
      const bool written = !live.writers[live.root[id]].empty();
      if (graph.values[id].is_tensor && !live.recomputable[id] && !is_output && !written &&
          live.last_use[id] >= 0) {
        chains[id] = Walk(graph, live, chains, id).chain();
      }
    }
  }
  return chains;
}

}  // namespace lingua::internal
