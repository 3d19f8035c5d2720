#pragma once
// Searches the chains of plan_costs.h for the cheapest: a dynamic program over (next segment, its
// device, set of used devices).
//
// Source: label setting for shortest paths on which no device may stand twice (Feillet et al.,
// Networks 44(3), 2004), with the path that may use devices twice as the lower bound that prunes.
// Determinism: no randomness; effort is counted in labels, and the clock is an outer guard.

#include "runtime/planner/search/chain_solver.h"

namespace lingua {

// The most devices that a search can tell apart.
inline constexpr int kMaxChainDevices = 64;
// For a planner that has no other way. Errors: UsageError.
void check_chain_devices(int devices, const char* planner);

// The chain of the lowest value within the limits. At most `width` labels are kept for each segment
// and device; a search that had to drop some, or whose effort or time was over, is not exact.
// REQUIRES: devices() <= kMaxChainDevices.
ChainResult search_chain(const PlanCosts& costs, const ChainLimits& limits, std::size_t width);

}  // namespace lingua
