#pragma once
// Steepest descent over the changes of one cut or one device.

#include <vector>

#include "runtime/predict/plan_costs.h"

namespace lingua {

// The best of all changes of one cut, or of one device against another or none, again and again, as long
// as that makes the chain cheaper by PlanCosts::objective. Takes a millisecond or two.
// REQUIRES: runs is not empty.
std::vector<Run> descend(const PlanCosts& costs, std::vector<Run> runs);

}  // namespace lingua
