#pragma once
// The planners that planner.cpp registers, one in each file of named/.

#include "runtime/planner/planner.h"

namespace lingua {

PlannerResult plan_even(const PlanRequest& request);
PlannerResult plan_memory(const PlanRequest& request);
PlannerResult plan_compute(const PlanRequest& request);
PlannerResult plan_greedy(const PlanRequest& request);
PlannerResult plan_random(const PlanRequest& request);
PlannerResult plan_lingualinked(const PlanRequest& request);
PlannerResult plan_lingualinked_published(const PlanRequest& request);
PlannerResult plan_edgeshard(const PlanRequest& request);
PlannerResult plan_dp(const PlanRequest& request);
PlannerResult plan_bruteforce(const PlanRequest& request);
#ifdef LINGUA_HAS_CBC
PlannerResult plan_cbc(const PlanRequest& request);
#endif

// The devices in cluster order, the header first where the cluster names one.
std::vector<int> pipeline_order(const PlanRequest& request);

}  // namespace lingua
