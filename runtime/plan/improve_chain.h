#pragma once
// Better chains by the estimate itself, where no formulation says exactly what a chain costs: how long
// many requests take, of which some are in flight together.
//
// Determinism: its random numbers have a fixed seed and its effort is a number of estimates; a time
// limit ends it earlier.
// Source: iterated local search, Lourenco, Martin, Stuetzle, Handbook of Metaheuristics, 2003.

#include "runtime/plan/plan_costs.h"

namespace lingua {

// The best chain that small changes lead to, from the given one, from compromises between latency and
// bottleneck, and, unless a plan runs already, from those of all planners that prove nothing. Never worse
// by the estimate than any of these. A change moves a cut, gives a run to another device, swaps two
// devices, leaves a device out or takes one more.
// REQUIRES: runs is not empty.
std::vector<Run> improve_chain(const PlanCosts& costs, const std::vector<Run>& runs);

// The same changes, as long as they make the chain cheaper by PlanCosts::objective, the best one first.
// Takes a millisecond or two. REQUIRES: runs is not empty.
std::vector<Run> descend(const PlanCosts& costs, std::vector<Run> runs);

}  // namespace lingua
