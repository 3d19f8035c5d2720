#pragma once
// The rules that choose cuts: internal to partition/. Each gives nodes to cut after, ascending. Between two
// pieces of a matrix (Node::is_piece) all of them cut.

#include <vector>

#include "runtime/partition/liveness.h"
#include "runtime/partition/partition.h"

namespace lingua::internal {

// The nodes after which another piece of the same matrix follows, ascending.
std::vector<NodeId> cuts_between_pieces(const Graph& graph);

// "bytes". Among the allowed cuts:
//   1. of neighbours that carry the same bytes, or with next to no work between them, the cheapest;
//   2. without those that are q times dearer than a cut on one side of them and within a share of
//      0.02 (q - 1) of the model's work, or than cuts on both sides that are at most a share of 0.2
//      q apart: a hill is cut only where it is wide;
//   3. more of them where weights exceed max_segment_bytes;
//   4. joined, the smallest neighbours and the dearest cuts first, down to max_segments.
std::vector<NodeId> cuts_by_bytes(const Graph& graph, const Liveness& live,
                                  const std::vector<Cut>& cuts, const PartitionOptions& options);

// "lingualinked".
std::vector<NodeId> cuts_by_halves(const Graph& graph, const Liveness& live,
                                   const PartitionOptions& options);

}  // namespace lingua::internal
