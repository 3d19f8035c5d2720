#pragma once
// What the simple planners share: they fill devices in a fixed order, each up to some level.

#include <functional>
#include <vector>

#include "runtime/predict/plan_costs.h"

namespace lingua {

// Each device in order takes segments for as long as `takes` agrees to the run. Empty when some
// segment finds no place or the pinned header gets none.
std::vector<Run> fill_in_order(const PlanCosts& costs, const std::vector<int>& order,
                               const std::function<bool(const Run&)>& takes);

// The same at the least level in [0, high] at which every segment finds a place. REQUIRES: what
// `takes` agrees to at one level it agrees to at all higher ones.
std::vector<Run> fill_to_least_level(const PlanCosts& costs, const std::vector<int>& order,
                                     double high,
                                     const std::function<bool(const Run&, double level)>& takes);

// Ends with InfeasibleError: this planner gives a device a run that it cannot hold.
[[noreturn]] void refuse_run(const PlanCosts& costs, const char* planner, const Run& run);

// Ends with InfeasibleError: this planner's order finds no place for all segments.
[[noreturn]] void refuse_order(const PlanCosts& costs, const char* planner, const char* order);

}  // namespace lingua
