#pragma once
// Beam search: label setting in which few labels live at each segment and device.

#include <vector>

#include "runtime/predict/plan_costs.h"

namespace lingua {

// A good chain at once, by a narrow search, so that an exact solver has only to do better or to prove
// that nothing is; the plan that runs with small changes, where there is one. Empty when it finds none.
std::vector<Run> quick_chain(const PlanCosts& costs);

}  // namespace lingua
