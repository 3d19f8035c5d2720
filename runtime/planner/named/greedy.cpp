// Fills the fastest device to its memory, then the next fastest, the header first. Links count for
// nothing.
// Source: what minimising the sum of compute times comes to, as LinguaLinked's objective does when
// links are fast (arXiv 2312.00388).

#include <algorithm>

#include "runtime/planner/named/fill.h"
#include "runtime/planner/named/planners.h"

namespace lingua {

PlannerResult plan_greedy(const PlanRequest& request) {
  const PlanCosts costs(request);
  std::vector<int> order = pipeline_order(request);
  const auto first = order.begin() + (costs.header() >= 0 ? 1 : 0);
  std::stable_sort(first, order.end(), [&](int a, int b) {
    const int last = costs.segments() - 1;
    return costs.compute({a, 0, last}) < costs.compute({b, 0, last});
  });
  const std::vector<Run> runs =
      fill_in_order(costs, order, [&](const Run& run) { return costs.fits(run); });
  if (runs.empty()) refuse_order(costs, "greedy", "from the fastest to the slowest");
  return {costs.stages(runs), Optimality::kHeuristic, 0};
}

}  // namespace lingua
