#pragma once
// Better chains by the estimate itself, where no formulation says exactly what a chain costs: how long
// many requests take, of which some are in flight together.
//
// Which chains are worth an estimate is told by mean_value.h and by the pace of the best one so far.
// Determinism: its random numbers have a fixed seed and its effort is a number of steps played; a time
// limit ends it earlier.
// Source: simulated annealing, Kirkpatrick, Gelatt, Vecchi, Science 220 (4598), 1983.

#include <cstdint>
#include <functional>
#include <vector>

#include "runtime/planner/search/moves.h"
#include "runtime/predict/plan_costs.h"

namespace lingua {

// Chains to begin with. Called once, where there is a search for them.
using ChainStarts = std::function<std::vector<std::vector<Run>>(const PlanCosts&)>;

// What the search is made of, each part of which it could do without: experiments/02-planners/ablation shows what
// each earns.
struct AnnealingParts {
  bool compromises = true;  // begins between the least latency and the least bottleneck too
  bool predictions = true;  // each start is improved by predictions first
  bool exclusions = true;   // what its prediction most likely excludes is not played
  bool races = true;        // a play that falls behind the chain to beat ends
  bool warm_starts = true;  // several starts get a part of the effort, not the best one all
  bool reheating = true;    // two hot rounds, not one
  MoveParts moves = {};
  double effort = 1;  // times the usual
  std::uint64_t seed = 1;
};

// The best chain that small changes by chance (moves.h) lead to, from the given one, from compromises
// between latency and bottleneck, and, unless a plan runs already, from `starts`. Never worse by the estimate
// than the given one. REQUIRES: runs is not empty.
std::vector<Run> improve_chain(const PlanCosts& costs, const std::vector<Run>& runs,
                               const ChainStarts& starts, const AnnealingParts& parts = {});

}  // namespace lingua
