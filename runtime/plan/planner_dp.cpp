#include "runtime/base/errors.h"
#include "runtime/plan/chain_search.h"
#include "runtime/plan/planners.h"

namespace lingua {

PlannerResult plan_dp(const PlanRequest& request) {
  constexpr std::size_t kWidth = 4000;
  const PlanCosts costs(request);
  if (costs.devices() > kMaxChainDevices) {
    throw UsageError(fmt::format("planner 'dp' takes at most {} devices; cluster '{}' has {}",
                                 kMaxChainDevices, request.cluster->name, costs.devices()));
  }
  const ChainOptimum optimum = optimise_chain(
      costs, [&](const ChainLimits& limits) { return search_chain(costs, limits, kWidth); },
      quick_chain(costs));
  return planner_result(costs, optimum);
}

}  // namespace lingua
