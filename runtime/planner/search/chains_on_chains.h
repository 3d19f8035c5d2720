#pragma once
// Chains-on-chains partitioning: cuts of a chain of segments for a chain of devices in a fixed order.
//
// Source: dynamic programming, Bokhari, IEEE Transactions on Computers 37(1), 1988, for unlike processors.

#include <vector>

#include "runtime/predict/plan_costs.h"

namespace lingua {

// The cuts for devices in this order that keep what is busiest least busy, as far as neighbours alone
// say; empty when nothing fits. Each device runs one segment at least.
std::vector<Run> least_busy_cuts(const PlanCosts& costs, const std::vector<int>& order);

}  // namespace lingua
