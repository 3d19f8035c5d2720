#pragma once
// Recovery: a plan for what is left when devices or links are lost.
//
// Errors: InfeasibleError says who is left and why they cannot hold the model. Determinism: as make_plan.

#include <string>

#include "runtime/plan/membership.h"
#include "runtime/plan/plan_request.h"

namespace lingua {

// The cluster without those that are lost. One that had to be the header and is lost is so no more.
ClusterSpec remaining_cluster(const ClusterSpec& cluster, const Membership& left);

// The rules as far as they name devices that are there.
PlanRules rules_among(PlanRules rules, const ClusterSpec& cluster);

// Asks the named planner, and where that finds no plan the best there is. No tensor and no token goes over a
// link that is cut: of its two devices the one runs nothing without which the plan is better. Rules that name a
// lost device hold for the others. `request` is of the whole cluster; its running plan and variants are not
// looked at.
Plan plan_for_remaining(const std::string& planner, const PlanRequest& request,
                        const Membership& left);

}  // namespace lingua
