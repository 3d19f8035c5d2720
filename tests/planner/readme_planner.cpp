// The whole model on the one device that answers soonest.
#include "runtime/planner/named/planners.h"
#include "runtime/planner/search/chain_bounds.h"
#include "runtime/planner/search/infeasible.h"

namespace lingua {

PlannerResult plan_single(const PlanRequest& request) {
  const PlanCosts costs(request);  // seconds and bytes of every run and transfer, per request
  std::vector<Run> best;           // {device, first segment, last segment}, in pipeline order
  for (int device : possible_headers(costs)) {
    const std::vector<Run> runs = {{device, 0, costs.segments() - 1}};
    if (!costs.fits(runs[0])) continue;
    if (best.empty() || costs.latency(runs) < costs.latency(best)) best = runs;
  }
  if (best.empty()) explain_infeasible(costs);  // names the limit that binds
  return {costs.stages(best), Optimality::kHeuristic, 0};
}

}  // namespace lingua
