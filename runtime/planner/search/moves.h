#pragma once
// Small changes of a chain by chance, for simulated annealing.

#include <vector>

#include "runtime/base/random.h"
#include "runtime/predict/plan_costs.h"

namespace lingua {

// Kinds of changes that a search could do without.
struct MoveParts {
  bool swap_places = true;  // two devices with what they run
  bool move_place = true;   // one goes elsewhere in the order
  bool turn_round = true;
  bool deal_anew = true;
};

// The chain with one change by chance: a cut moves, or several by as much; two devices change places, with
// or without what they run; one goes elsewhere in the order, is replaced, is left out or comes in; a piece
// of the order is turned round. After a change of the order the segments are sometimes dealt out anew.
// The result may fit no device; it is empty where that change cannot be made.
std::vector<Run> random_move(const PlanCosts& costs, const std::vector<Run>& chain, Rng& rng,
                             const MoveParts& parts = {});

}  // namespace lingua
