#pragma once
// What the planners that prove have in common.

#include "runtime/planner/planner.h"
#include "runtime/planner/search/optimise_chain.h"

namespace lingua {

// What a planner returns for an optimum, refined: proven only where the estimate agrees with the bound.
// Errors: InfeasibleError when there is no chain; WorldError when the search ended too early to
// know.
PlannerResult planner_result(const PlanCosts& costs, const ChainOptimum& optimum);

}  // namespace lingua
