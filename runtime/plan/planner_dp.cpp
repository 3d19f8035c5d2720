#include "runtime/plan/chain_search.h"
#include "runtime/plan/large_cluster.h"
#include "runtime/plan/planners.h"

namespace lingua {

PlannerResult plan_dp(const PlanRequest& request) {
  constexpr std::size_t kWidth = 4000;
  if (request.cluster->devices.size() > kMaxChainDevices)
    return plan_large_cluster(request, plan_dp);
  const PlanCosts costs(request);
  const ChainOptimum optimum = optimise_chain(
      costs, [&](const ChainLimits& limits) { return search_chain(costs, limits, kWidth); },
      quick_chain(costs));
  return planner_result(costs, optimum);
}

}  // namespace lingua
