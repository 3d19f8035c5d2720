#include "runtime/planner/search/beam.h"

#include "runtime/planner/search/chain_solver.h"
#include "runtime/planner/search/label_setting.h"
#include "runtime/planner/search/local_search.h"
#include "runtime/planner/search/optimise_chain.h"

namespace lingua {

std::vector<Run> quick_chain(const PlanCosts& costs) {
  constexpr std::size_t kWidth = 24;
  if (costs.request().running != nullptr) {
    const std::vector<Run> running = costs.runs(*costs.request().running);
    if (!running.empty()) return descend(costs, running);
  }
  if (costs.devices() > kMaxChainDevices) return {};
  const ChainSolver beam = [&](const ChainLimits& limits) {
    ChainLimits first = limits;
    // Some plan is better than none in time.
    first.at_leisure = limits.cutoff == kNoLimit && !costs.request().only_in_time;
    ChainResult result = search_chain(costs, first, kWidth);
    result.exact = true;  // what the beam does not find is not looked for again
    return result;
  };
  return optimise_chain(costs, beam, {}).runs;
}

}  // namespace lingua
