#pragma once
// Why no plan fits, in numbers.

#include "runtime/predict/plan_costs.h"

namespace lingua {

// Ends with InfeasibleError that says which limit binds.
[[noreturn]] void explain_infeasible(const PlanCosts& costs);

}  // namespace lingua
