#pragma once
// Cuts a graph into segments.
//
// A cut lies between two consecutive nodes. It is allowed when everything that lives across it can
// be sent and no state is used on both sides. Weights used on both sides are stored on both.
// Pieces of a matrix (Node::is_piece) are never joined: there is a cut between them whatever the rule.
// Determinism: the same graph and options give the same segments.
// Errors: UsageError for a rule that does not exist; InfeasibleError when the bounds cannot be met.
// Source: LinguaLinked (arXiv 2312.00388) cuts before each attention half and each MLP half; the
// general rule here looks at the bytes that live across each cut instead, and so serves any model.

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/model/graph.h"
#include "runtime/model/segment.h"

namespace lingua {

// Values that a segment computes again instead of having them sent: the same operations on the same
// operands, so the same numbers. The nodes, their weights and their costs are part of each segment that
// does so.
struct Recompute {
  bool steps = true;  // what depends on the step alone: positions, masks
  // What norms and the arithmetic that norms are written with (16 nodes at most, nothing random or in place,
  // no states) make of one other value that crosses the same cuts anyway and is no larger, with weights of
  // at most four times what the result of one new token takes: not norm(x) beside x, but x alone.
  bool norms = false;
  bool operator==(const Recompute&) const = default;
};

struct PartitionOptions {
  // "bytes": cheapest cuts first, within the bounds below; step-only values are recomputed.
  // "lingualinked": the original's granularity, attention halves and MLP halves: a cut after each
  //   normalisation that feeds nothing but linear projections; step-only values (positions, masks)
  //   are sent on residual paths, as in the original.
  std::string rule = "bytes";
  int max_segments = 64;
  double max_segment_bytes = 0;  // weights of one segment; 0: no bound
  Step step{1, 128};             // where live bytes are compared, as one token after as many others
  bool recompute_norms = false;  // Recompute::norms; rules choose the cuts as they do without it
};

Recompute recompute_of(const PartitionOptions& options);

struct Cut {
  NodeId after = 0;  // between this node and the next
  bool allowed = false;
  std::string why_not;      // when not allowed
  StepFunction live_bytes;  // activations and inputs that must cross it
  int live_values = 0;
};

// Every position between two nodes: nodes.size() - 1 of them. What is computed again crosses no cut.
std::vector<Cut> all_cuts(const Graph& graph, const Recompute& recompute = {});

Segmentation partition(const Graph& graph, const PartitionOptions& options);

// The segmentation with the cuts after the given nodes (ascending, allowed ones).
Segmentation cut_at(const Graph& graph, const std::vector<NodeId>& after,
                    const Recompute& recompute = {});

}  // namespace lingua
