#include "runtime/planner/named/chain_planner.h"

#include <algorithm>

#include "runtime/base/errors.h"
#include "runtime/planner/named/simple_plans.h"
#include "runtime/planner/search/branch_and_bound.h"
#include "runtime/planner/search/chain_bounds.h"
#include "runtime/planner/search/infeasible.h"
#include "runtime/predict/estimated_value.h"

namespace lingua {

PlannerResult planner_result(const PlanCosts& costs, const ChainOptimum& optimum) {
  if (optimum.runs.empty()) {
    if (optimum.exact) explain_infeasible(costs);
    throw InfeasibleError(
        fmt::format("no plan found within the planner's limits ({} segments, {} devices, {:.3g} "
                    "s), and no proof "
                    "that there is none; allow more time",
                    costs.segments(), costs.devices(), costs.request().time_limit_s));
  }
  const ChainOptimum refined = refine_chain(costs, optimum, simple_plans);
  if (!costs.chained()) return {costs.stages(refined.runs), Optimality::kHeuristic, 0};
  const double value = estimated_value(costs, refined.runs);
  double gap = std::max(0.0, (value - refined.bound) / value);
  if (gap <= 10 * kSameValue) gap = 0;
  return {costs.stages(refined.runs), gap == 0 ? Optimality::kOptimal : Optimality::kFeasible, gap};
}

}  // namespace lingua
