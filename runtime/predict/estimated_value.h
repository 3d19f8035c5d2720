#pragma once
// The value of a chain by the estimate itself.

#include "runtime/predict/estimate.h"
#include "runtime/predict/plan_costs.h"

namespace lingua {

// What the estimate says of a chain: residual transfers included, and the mean over the
// request's variants where it has some.
double estimated_value(const PlanCosts& costs, const std::vector<Run>& runs,
                       const PlayLimits& limits = {});

}  // namespace lingua
