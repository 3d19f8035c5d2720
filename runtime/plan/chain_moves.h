#pragma once
// Small changes of a chain, for local search.

#include <vector>

#include "runtime/base/random.h"
#include "runtime/plan/plan_costs.h"

namespace lingua {

// The chain with one change by chance: a cut moves, or several by as much; two devices change places, with
// or without what they run; one goes elsewhere in the order, is replaced, is left out or comes in; a piece
// of the order is turned round. After a change of the order the segments are sometimes dealt out anew.
// The result may fit no device; it is empty where that change cannot be made.
std::vector<Run> random_move(const PlanCosts& costs, const std::vector<Run>& chain, Rng& rng);

// The cuts for devices in this order that keep what is busiest least busy, as far as neighbours alone
// say; empty when nothing fits. Each device runs one segment at least.
std::vector<Run> least_busy_cuts(const PlanCosts& costs, const std::vector<int>& order);

// The best of all changes of one cut, or of one device against another or none, again and again, as long
// as that makes the chain cheaper by PlanCosts::objective. Takes a millisecond or two.
// REQUIRES: runs is not empty.
std::vector<Run> descend(const PlanCosts& costs, std::vector<Run> runs);

}  // namespace lingua
