#pragma once
// What one device alone would do: the plan that every other has to beat.
//
// Units: the value is that of objective_value, smaller is better.

#include <optional>

#include "runtime/predict/plan_costs.h"

namespace lingua {

struct BestAlone {
  DeviceName device;
  double value = 0;
};

// The best of those that hold the whole model and may by the rules; nothing when none does.
std::optional<BestAlone> best_device_alone(const PlanCosts& costs);

}  // namespace lingua
