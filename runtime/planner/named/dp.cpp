#include <algorithm>

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
  constexpr std::int64_t kMostLabels = 20'000'000;  // in all: a GB at most
  if (request.cluster->devices.size() > kMaxChainDevices)
    return plan_large_cluster(request, plan_dp);
  const PlanCosts costs(request);
  // Where requests are played too, the proof leaves time for that.
  const double until_s = request.objective.throughput > 0 ? costs.left_s() / 2 : kNoLimit;
  std::int64_t labels = kMostLabels;
  const ChainSolver solver = [&](ChainLimits limits) {
    limits.effort = labels;
    limits.until_s = until_s;
    ChainResult result = search_chain(costs, limits, kWidth);
    labels = std::max<std::int64_t>(0, labels - result.effort);
    return result;
  };
  return planner_result(costs, optimise_chain(costs, solver, quick_chain(costs)));
}

}  // namespace lingua
