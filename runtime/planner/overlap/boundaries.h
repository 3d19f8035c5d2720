#pragma once
// The best boundaries between the stages of a chain whose devices keep their order; each stage keeps at
// least one segment.
//
// A shortest path over (stage, its first segment): what a stage costs depends on where it begins and
// ends only. For throughput, where the busiest device or link counts, the shortest path among the
// stages that keep it within a limit, and bisection for the limit. Exact, in the formulation of
// plan_costs.h; an objective must be throughput alone or do without it. Units: the objective's; bytes.
// Ownership: refers to the costs, which must outlive it. Threads: one at a time.

#include <functional>
#include <optional>
#include <vector>

#include "runtime/predict/plan_costs.h"

namespace lingua {

// Where a stage may begin, both ends included.
struct Range {
  int low = 0;
  int high = 0;
};

// Bytes that a stage stores besides what it has, so that it can run segments first .. end - 1;
// kNoLimit when it may not run them.
using StoredBytes = std::function<double(int stage, int first, int end)>;

// Stage s runs starts[s] .. starts[s + 1] - 1, so there is one more than there are stages.
struct Boundaries {
  std::vector<int> starts;
  double value = kNoLimit;
};

class BoundarySearch {
 public:
  // `ranges`: the widest that will be asked for, one per entry of Boundaries::starts.
  BoundarySearch(const PlanCosts& costs, std::vector<int> devices, std::vector<Range> ranges);

  // What PlanCosts::objective says of boundaries.
  double value(const std::vector<int>& starts) const;

  // The best within the ranges; nothing when there are none.
  std::optional<Boundaries> best(const std::vector<Range>& ranges, const StoredBytes& stored_bytes);
  // The same, and among equals those for which the fewest bytes are stored.
  std::optional<Boundaries> leanest(const std::vector<Range>& ranges,
                                    const StoredBytes& stored_bytes);

 private:
  // What a stage adds to a chain: its computing and its message to the next stage or answer.
  struct Part {
    Price price;         // a sum over the stages
    double busiest = 0;  // what the longer of computing and sending is worth
    double bytes = 0;    // stored for it; kNoLimit: the stage may not run it
  };
  // A chain up to where a stage begins.
  struct Label {
    Part sum;
    int start = 0;     // of the stage before, counted from its range's low
    int previous = 0;  // its label there
  };
  struct Limits {
    double busiest = kNoLimit;
    double value = kNoLimit;  // of the price
    bool lean = false;        // fewest bytes, not the lowest value
  };
  struct Chain {
    std::vector<int> starts;
    Part sum;
  };

  int stages() const { return static_cast<int>(devices_.size()); }
  Part part(int stage, int first, int end) const;

  Part& part_at(int stage, int first, int end);
  std::vector<Label>& labels_at(int stage, int start);
  void open(const std::vector<Range>& ranges, const StoredBytes& stored_bytes);
  std::optional<Chain> shortest(const std::vector<Range>& ranges, const Limits& limits);
  void extend(int stage, int first, const Range& ends, const Limits& limits);
  Chain chain_to(int label);
  std::optional<Chain> best_chain(const std::vector<Range>& ranges);
  Chain narrow(const std::vector<Range>& ranges, Chain best);
  Boundaries boundaries(const Chain& chain) const;

  const PlanCosts& costs_;
  std::vector<int> devices_;
  std::vector<Range> widest_;
  std::vector<std::vector<Part>> parts_;                 // [stage][first, end]
  std::vector<std::vector<std::vector<Label>>> labels_;  // [stage][start]
  double next_busiest_ = kNoLimit;                       // the least that the last limit kept out
};

}  // namespace lingua
