#include "runtime/partition/partition.h"

#include "runtime/base/errors.h"
#include "runtime/partition/liveness.h"
#include "runtime/partition/rules.h"
#include "runtime/partition/segments.h"

namespace lingua {
namespace {

std::vector<Cut> cuts_of(const Graph& graph, const internal::Liveness& live) {
  const auto count = static_cast<NodeId>(live.why_not.size());
  std::vector<StepFunction> bytes(live.why_not.size() + 1);
  std::vector<int> values(live.why_not.size() + 1);
  for (std::size_t id = 0; id < graph.values.size(); ++id) {
    const Value& value = graph.values[id];
    if (!internal::is_sent(value) || live.recomputable[id]) continue;
    const NodeId born = std::max(value.producer, 0);
    const NodeId dies = std::min(live.last_use[id], count);  // it crosses the cuts born .. dies - 1
    if (born >= dies) continue;
    bytes[born] += value.bytes();
    bytes[dies] += value.bytes() * -1.0;
    values[born] += 1;
    values[dies] -= 1;
  }
  std::vector<Cut> cuts;
  StepFunction live_bytes;
  int live_values = 0;
  for (NodeId c = 0; c < count; ++c) {
    live_bytes += bytes[c];
    live_values += values[c];
    cuts.push_back({c, live.why_not[c].empty(), live.why_not[c], live_bytes, live_values});
  }
  return cuts;
}

}  // namespace

namespace internal {

std::vector<NodeId> cuts_between_pieces(const Graph& graph) {
  std::vector<NodeId> after;
  for (std::size_t n = 1; n < graph.nodes.size(); ++n) {
    if (graph.nodes[n - 1].is_piece && graph.nodes[n].is_piece)
      after.push_back(static_cast<NodeId>(n) - 1);
  }
  return after;
}

}  // namespace internal

Recompute recompute_of(const PartitionOptions& options) {
  return {.steps = options.rule != "lingualinked", .norms = options.recompute_norms};
}

std::vector<Cut> all_cuts(const Graph& graph, const Recompute& recompute) {
  return cuts_of(graph, internal::analyse(graph, recompute));
}

Segmentation cut_at(const Graph& graph, const std::vector<NodeId>& after,
                    const Recompute& recompute) {
  Segmentation result = internal::make_segments(graph, internal::analyse(graph, recompute), after);
  result.rule = "given";
  return result;
}

Segmentation partition(const Graph& graph, const PartitionOptions& options) {
  const bool by_bytes = options.rule == "bytes";
  if (!by_bytes && options.rule != "lingualinked") {
    throw UsageError(fmt::format(
        "partition rule '{}' is not known; write one of bytes, lingualinked", options.rule));
  }
  if (options.max_segments < 1) {
    throw UsageError(fmt::format("max_segments is {}; at least 1 is needed", options.max_segments));
  }
  Recompute recompute = recompute_of(options);
  const internal::Liveness live = internal::analyse(graph, recompute);
  recompute.norms = false;
  const std::vector<NodeId> after =
      by_bytes ? internal::cuts_by_bytes(graph, live, all_cuts(graph, recompute), options)
               : internal::cuts_by_halves(graph, live, options);
  Segmentation result = internal::make_segments(graph, live, after);
  result.rule = options.rule;
  return result;
}

}  // namespace lingua
