// The integer program of interval_program.h, from the beam's chain on.

#include <algorithm>
#include <chrono>

#include "runtime/planner/named/chain_planner.h"
#include "runtime/planner/named/large_cluster.h"
#include "runtime/planner/named/planners.h"
#include "runtime/planner/search/beam.h"
#include "runtime/planner/search/chain_solver.h"
#include "runtime/planner/search/interval_program.h"
#include "runtime/planner/search/label_setting.h"
#include "runtime/planner/search/optimise_chain.h"

namespace lingua {

PlannerResult plan_cbc(const PlanRequest& request) {
  using Clock = std::chrono::steady_clock;
  constexpr std::int64_t kMostEffort = 1'000'000;  // columns times nodes, in all
  if (request.cluster->devices.size() > kMaxChainDevices)
    return plan_large_cluster(request, plan_cbc);
  // Where requests are played too, the proof leaves time for that.
  const double share = request.objective.throughput > 0 ? 0.5 : 1;
  const PlanCosts costs(request);
  const Clock::time_point deadline =
      Clock::now() + std::chrono::duration_cast<Clock::duration>(Seconds(share * costs.left_s()));
  std::int64_t effort = kMostEffort;
  const ChainSolver solver = [&](ChainLimits limits) {
    limits.effort = effort;
    ChainResult result = solve_chain_with_cbc(costs, limits, deadline - Clock::now());
    effort = std::max<std::int64_t>(0, effort - result.effort);
    return result;
  };
  return planner_result(costs, optimise_chain(costs, solver, quick_chain(costs)));
}

}  // namespace lingua
