#pragma once
// CBC as a solver of chains: the interval formulation, one binary for each device and run of segments.
//
// Only where LINGUA_WITH_CBC is on. Threads: one at a time. Output of CBC is silenced.

#include "runtime/base/units.h"
#include "runtime/planner/search/chain_solver.h"

namespace lingua {

// The chain of the lowest value within the limits, effort counted in columns times
// nodes; not exact when effort or time ran
// out first.
ChainResult solve_chain_with_cbc(const PlanCosts& costs, const ChainLimits& limits,
                                 Seconds time_limit);

}  // namespace lingua
