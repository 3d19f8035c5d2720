#include "runtime/planner/named/chain_planner.h"
#include "runtime/planner/named/large_cluster.h"
#include "runtime/planner/named/planners.h"
#include "runtime/planner/search/beam.h"
#include "runtime/planner/search/chain_solver.h"
#include "runtime/planner/search/label_setting.h"
#include "runtime/planner/search/optimise_chain.h"

namespace lingua {

PlannerResult plan_dp(const PlanRequest& request) {
  constexpr std::size_t kWidth = 4000;
  if (request.cluster->devices.size() > kMaxChainDevices)
    return plan_large_cluster(request, plan_dp);
  const PlanCosts costs(request);
  // Where requests are played too, the proof leaves time for that.
  const double until_s = request.objective.throughput > 0 ? costs.left_s() / 2 : kNoLimit;
  const ChainSolver solver = [&](ChainLimits limits) {
    limits.until_s = until_s;
    return search_chain(costs, limits, kWidth);
  };
  return planner_result(costs, optimise_chain(costs, solver, quick_chain(costs)));
}

}  // namespace lingua
