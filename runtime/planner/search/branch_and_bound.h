#pragma once
// Branch and bound over whole chains with the estimate as what a leaf is worth.

#include "runtime/planner/search/annealing.h"
#include "runtime/planner/search/optimise_chain.h"

namespace lingua {

// Where residual transfers make the best chain dearer than its bound: tries the other chains that could
// be better by the estimate, as many as a fixed effort allows. Where PlanCosts::chained() is false, what bounds
// chains there does not, so that the result is a good one and its bound none.
// REQUIRES: optimum.runs is not empty.
ChainOptimum refine_chain(const PlanCosts& costs, ChainOptimum optimum, const ChainStarts& starts);

}  // namespace lingua
