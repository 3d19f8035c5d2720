#include "runtime/planner/named/simple_plans.h"

#include "runtime/base/errors.h"
#include "runtime/planner/named/planners.h"

namespace lingua {

std::vector<std::vector<Run>> simple_plans(const PlanCosts& costs) {
  std::vector<std::vector<Run>> chains;
  for (auto* planner : {plan_even, plan_memory, plan_compute, plan_greedy, plan_lingualinked,
                        plan_lingualinked_published, plan_edgeshard, plan_random}) {
    if (costs.out_of_time()) break;
    try {
      PlanRequest request = costs.request();
      request.time_limit_s = costs.left_s();
      request.only_in_time = true;
      std::vector<Run> chain = costs.runs(planner(request).stages);
      if (!chain.empty()) chains.push_back(std::move(chain));
    } catch (const InfeasibleError&) {  // then it is no plan to start from
    }
  }
  return chains;
}

}  // namespace lingua
