#pragma once
// From ranges of nodes to Segments: internal to partition/.

#include <set>
#include <string>
#include <vector>

#include "runtime/model/segment.h"
#include "runtime/partition/liveness.h"

namespace lingua::internal {

// What a run of nodes needs besides what they make themselves; grows by one node at a time.
// Ownership: refers to the graph and the liveness.
class NodeRange {
 public:
  NodeRange(const Graph& graph, const Liveness& live, NodeId first)
      : graph_(graph), live_(live), first_(first) {}

  // REQUIRES: the nodes come in order from `first`.
  void add(NodeId node);

  double weights_bytes() const { return weights_bytes_; }

  // Values of the graph, ascending.
  const std::set<ValueId>& steps() const { return steps_; }
  const std::set<ValueId>& inputs() const { return inputs_; }
  const std::set<ValueId>& states() const { return states_; }
  const std::vector<ValueId>& weights() const { return weights_; }  // in order of use, once a name
  const std::set<NodeId>& recomputed() const { return recomputed_; }

 private:
  void need(ValueId id);
  void recompute(NodeId node);
  void recompute_norm(const std::vector<NodeId>& chain);

  const Graph& graph_;
  const Liveness& live_;
  NodeId first_;
  double weights_bytes_ = 0;
  std::set<ValueId> steps_, inputs_, states_;
  std::vector<ValueId> weights_;
  std::set<std::string> weight_names_;
  std::set<NodeId> recomputed_;
};

// Weights of the nodes first .. last, each once.
double weights_bytes(const Graph& graph, const Liveness& live, NodeId first, NodeId last);

// Segment::inner_bytes of the nodes first .. last and those that are computed again before them. Values
// whose dimensions multiply to more than a StepFunction can be are left out.
std::vector<StepFunction> inner_bytes(const Graph& graph, const Liveness& live,
                                      const std::set<NodeId>& recomputed, NodeId first,
                                      NodeId last);

// REQUIRES: `after` ascends and holds allowed cuts only.
Segmentation make_segments(const Graph& graph, const Liveness& live,
                           const std::vector<NodeId>& after);

// Names for people, from the scopes of the nodes and the names of their weights: "h.3 attention".
// No two segments have the same name.
void name_segments(const Graph& graph, std::vector<Segment>& segments);

}  // namespace lingua::internal
