#pragma once
// The plans of the planners that prove nothing: where searches by the estimate begin.

#include <vector>

#include "runtime/predict/plan_costs.h"

namespace lingua {

// As chains, of those that find one that keeps the rules within the time that is left. Which planners these
// are is fixed here: what else is registered changes no plan.
std::vector<std::vector<Run>> simple_plans(const PlanCosts& costs);

}  // namespace lingua
