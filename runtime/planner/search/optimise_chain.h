#pragma once
// The best chain for the request's objective, by calls of a solver that knows sums along a chain: for
// throughput, where the busiest device or link counts too, a search for the least bottleneck within which
// some chain is as good (a parametric search over all times that a device or link can be busy for).
//
// Source: bottleneck assignment by probing, as for chains-on-chains partitioning (Pinar, Aykanat, JPDC 64(8),
// 2004), with the relaxation of chain_bounds.h to begin near the answer.

#include "runtime/planner/search/chain_solver.h"

namespace lingua {

// The best chain for the request's objective, by calls of a solver; `incumbent` may be empty.
struct ChainOptimum {
  std::vector<Run> runs;  // empty: none found
  double bound = 0;       // no chain is better than this
  bool exact = true;
};
ChainOptimum optimise_chain(const PlanCosts& costs, const ChainSolver& solver,
                            const std::vector<Run>& incumbent);

}  // namespace lingua
