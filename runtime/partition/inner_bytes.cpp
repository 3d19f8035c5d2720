#include <algorithm>
#include <map>
#include <optional>

#include "runtime/partition/segments.h"

namespace lingua::internal {
namespace {

// Where the most is alive may change with the step: looked for at these.
constexpr Step kSteps[] = {{1, 0},    {16, 0},  {128, 0},  {512, 0},  {2048, 0},
                           {8192, 0}, {1, 127}, {1, 2047}, {1, 32767}};

// Values that share memory, alive from the node that makes the first of them to the last that uses one.
struct Family {
  std::size_t born = 0;
  std::size_t dies = 0;
  StepFunction bytes;
};

// Nothing where the product of its dimensions is of a higher degree than a StepFunction has.
std::optional<StepFunction> bytes_if_quadratic(const Value& value) {
  int degree = 0;
  for (const StepFunction& dim : value.dims) {
    const auto& c = dim.coefficients();
    degree += dim.is_constant() ? 0 : c[3] == 0 && c[4] == 0 && c[5] == 0 ? 1 : 2;
  }
  if (degree > 2) return std::nullopt;
  return value.bytes();
}

std::vector<Family> families_of(const Graph& graph, const Liveness& live,
                                const std::vector<NodeId>& nodes, NodeId first, NodeId last) {
  std::map<ValueId, Family> families;
  std::map<ValueId, bool> stays;  // is sent, or returned
  for (std::size_t at = 0; at < nodes.size(); ++at) {
    const Node& node = graph.nodes[static_cast<std::size_t>(nodes[at])];
    for (const ValueId id : node.inputs) {
      const auto found = families.find(live.root[id]);
      if (found != families.end()) found->second.dies = at;
    }
    for (const ValueId id : node.outputs) {
      const ValueId root = live.root[id];
      if (nodes[at] >= first && live.last_use[id] > last && !live.recomputable[id])
        stays[root] = true;
      if (root != id) continue;
      if (const auto bytes = bytes_if_quadratic(graph.values[id]))
        families.emplace(id, Family{at, at, *bytes});
    }
  }
  std::vector<Family> inner;
  for (const auto& [root, family] : families) {
    if (!stays.contains(root)) inner.push_back(family);
  }
  return inner;
}

}  // namespace

std::vector<StepFunction> inner_bytes(const Graph& graph, const Liveness& live,
                                      const std::set<NodeId>& recomputed, NodeId first,
                                      NodeId last) {
  std::vector<NodeId> nodes(recomputed.begin(), recomputed.end());
  for (NodeId n = first; n <= last; ++n) nodes.push_back(n);
  const std::vector<Family> families = families_of(graph, live, nodes, first, last);
  std::vector<StepFunction> largest;
  for (const Step& step : kSteps) {
    std::vector<double> change(nodes.size() + 1, 0);
    for (const Family& family : families) {
      const double bytes = family.bytes.at(step);
      change[family.born] += bytes;
      change[family.dies + 1] -= bytes;
    }
    std::size_t best = 0;
    double most = 0;
    double now = 0;
    for (std::size_t at = 0; at < nodes.size(); ++at) {
      now += change[at];
      if (now > most * (1 + 1e-12)) {
        most = now;
        best = at;
      }
    }
    StepFunction sum;
    for (const Family& family : families) {
      if (family.born <= best && best <= family.dies) sum += family.bytes;
    }
    if (most > 0 && std::find(largest.begin(), largest.end(), sum) == largest.end())
      largest.push_back(sum);
  }
  return largest;
}

}  // namespace lingua::internal
