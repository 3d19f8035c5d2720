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
// bottleneck, and from the plans of all planners that prove nothing. Never worse by the estimate than any of these. A change moves a cut, gives a
// run to another device, swaps two devices, leaves a device out or takes one more.
// REQUIRES: runs is not empty.
std::vector<Run> improve_chain(const PlanCosts& costs, const std::vector<Run>& runs);

}  // namespace lingua
