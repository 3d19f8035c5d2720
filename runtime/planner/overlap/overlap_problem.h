#pragma once
// What the rules of the secondary plan decide on: how far each stage's storage reaches, what that takes
// of its memory, and what it gives in each scenario.
//
// Units: as secondary_plan.h. Ownership: refers to plan and request, which must outlive it.

#include <chrono>
#include <memory>
#include <vector>

#include "runtime/planner/overlap/boundaries.h"
#include "runtime/planner/overlap/secondary_plan.h"

namespace lingua {

// Segments first .. end - 1.
struct Span {
  int first = 0;
  int end = 0;

  int size() const { return end - first; }
  bool operator==(const Span&) const = default;
};
inline Span hull(const Span& a, const Span& b) {
  return {a.first < b.first ? a.first : b.first, a.end > b.end ? a.end : b.end};
}

// What each stage runs or stores.
using Storage = std::vector<Span>;

class OverlapProblem {
 public:
  OverlapProblem(const Plan& plan, const PlanRequest& request,
                 const std::vector<SlowDown>& slow_downs);

  int stages() const { return static_cast<int>(runs_.size()); }
  // What the plan runs: the least storage; and with all segments of the neighbours: the most.
  const Storage& runs() const { return runs_; }
  const Storage& widest() const { return widest_; }

  // Bytes that a stage stores besides what it runs.
  double stored_bytes(int stage, const Span& storage) const {
    return weights(stage, storage) - weights(stage, runs_[stage]);
  }
  double stored_bytes(const Storage& storage) const;
  // The stage can run `run`, and its run of the plan too, beside the weights of its storage.
  bool holds(int stage, const Span& storage, const Span& run) const;

  int scenarios() const { return static_cast<int>(scenarios_.size()); }
  const SlowDown& slow_down(int scenario) const { return scenarios_[scenario]->slow_down; }
  double unchanged(int scenario) const { return scenarios_[scenario]->unchanged; }
  double unlimited(int scenario) const;
  // The sum of the unchanged values by their probabilities: the scale of what a gain means.
  double expected_unchanged() const;

  // The best boundaries in a scenario with a storage.
  Boundaries reach(int scenario, const Storage& storage) const;
  double expected_gain(const Storage& storage) const;
  // The same if each stage may extend its storage for this scenario, from `least` up to `most`; the
  // fewest bytes among equals.
  Boundaries reach_between(int scenario, const Storage& least, const Storage& most) const;

 private:
  // A slower cluster with the tables for it.
  struct Scenario {
    Scenario(const PlanRequest& of, const SlowDown& slow_down);

    SlowDown slow_down;
    ClusterSpec cluster;
    PlanRequest request;
    PlanCosts costs;
    std::unique_ptr<BoundarySearch> search;
    double unchanged = 0;
  };

  std::size_t cell(const Span& span) const {
    return static_cast<std::size_t>(span.first) * (segments_ + 1) + span.end;
  }
  // By [first][end].
  struct Memory {
    std::vector<double> weights;
    std::vector<double> work_bytes;  // states and activations
  };
  // The header's table has what it keeps besides.
  const Memory& table(int stage) const { return memory_[stage == 0 ? 0 : 1]; }
  Memory memory(const PlanRequest& request, bool of_header) const;
  double weights(int stage, const Span& span) const { return table(stage).weights[cell(span)]; }
  double work_bytes(int stage, const Span& run) const { return table(stage).work_bytes[cell(run)]; }
  std::vector<Range> ranges(const Storage& storage) const;
  Boundaries or_unchanged(int scenario, std::optional<Boundaries> found) const;

  int segments_;  // that chains cover
  int header_keeps_;
  std::vector<int> devices_;
  std::vector<double> memory_bytes_;  // of each stage's device
  Storage runs_;
  Storage widest_;
  std::vector<Memory> memory_;  // of the header, of the others
  std::vector<std::unique_ptr<Scenario>> scenarios_;
};

// What ends the search of `gain`, which then returns the best so far.
struct OverlapLimits {
  int most_nodes = 0;
  std::chrono::steady_clock::time_point deadline;
};

// The rules.
struct OverlapChoice {
  Storage storage;
  bool proven = false;
  double gain_bound = 0;  // of `gain` only
};
OverlapChoice most_gain(const OverlapProblem& problem, const OverlapLimits& limits);
OverlapChoice most_bytes(const OverlapProblem& problem);

}  // namespace lingua
