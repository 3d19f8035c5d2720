#pragma once
// What lives across each position of a graph, and what may not: internal to partition/.
//
// A value is live across the cut after node c when it exists by then and is used later; a model
// output is used by a sink behind the last node. Values share memory through views and in-place
// operations; a family of such values is named by its root.

#include <string>
#include <vector>

#include "runtime/model/graph.h"
#include "runtime/partition/partition.h"

namespace lingua::internal {

struct Liveness {
  std::vector<NodeId> first_use;   // per value; nodes.size() for the sink, or when it is not used
  std::vector<NodeId> last_use;    // -1 when it is not used
  std::vector<ValueId> root;       // the value whose memory it shares, itself if none
  std::vector<bool> recomputable;  // so it crosses no cut
  // Per value: the nodes that make it again from a value that crosses the same cuts, ascending; none when
  // it is not recomputable, or is from the step alone.
  std::vector<std::vector<NodeId>> norm_chain;
  std::vector<std::vector<NodeId>> writers;  // per root: the nodes that write in place
  std::vector<std::string> why_not;          // per cut; empty: allowed
};

Liveness analyse(const Graph& graph, const Recompute& recompute);

// Liveness::norm_chain by Recompute::norms. REQUIRES: the other fields but why_not.
std::vector<std::vector<NodeId>> norm_chains(const Graph& graph, const Liveness& live);

// Activations and model inputs: the values that are sent.
bool is_sent(const Value& value);

}  // namespace lingua::internal
