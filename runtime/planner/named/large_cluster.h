#pragma once
// Planning for more devices than the exact searches tell apart.
//
// Determinism: which devices are looked at depends on the request alone; the clock is an outer guard.

#include "runtime/planner/planner.h"

namespace lingua {

// The best of the simple planners' plans (greedy, compute, memory) and of what `planner` finds, in the time
// that is left, on the devices that the best of those uses and the fastest others that hold a segment.
// Proves nothing. Errors: InfeasibleError when none of them finds a plan.
PlannerResult plan_large_cluster(const PlanRequest& request,
                                 PlannerResult (*planner)(const PlanRequest&));

}  // namespace lingua
