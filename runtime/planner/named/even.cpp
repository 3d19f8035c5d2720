// As many segments on each device, in the order of the cluster, whatever device and segment.
// Source: the plan that LinguaLinked's optimised assignment is compared with (arXiv 2312.00388).

#include <algorithm>

#include "runtime/planner/named/fill.h"
#include "runtime/planner/named/planners.h"

namespace lingua {

PlannerResult plan_even(const PlanRequest& request) {
  const PlanCosts costs(request);
  const std::vector<int> order = pipeline_order(request);
  const int used = std::min(costs.devices(), costs.segments());
  std::vector<Run> runs;
  for (int s = 0; s < used; ++s) {
    runs.push_back({order[s], costs.segments() * s / used, costs.segments() * (s + 1) / used - 1});
    if (!costs.fits(runs.back())) refuse_run(costs, "even", runs.back());
  }
  return {costs.stages(runs), Optimality::kHeuristic, 0};
}

}  // namespace lingua
