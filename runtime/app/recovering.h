#pragma once
// Recovery as every world has it: what a coordinator asks when something is lost, and what it reports of it.

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "runtime/app/balancing.h"
#include "runtime/engine/recovery.h"

namespace lingua {

// The better of a plan anew and one within what is stored (balance/stored_plan.h), by the speeds of the request's
// cluster or, where load is balanced, those of the moment. REQUIRES: what the request refers to outlives it.
std::function<RecoveryPlan(const LossState&)> recovery(const std::string& planner,
                                                       const PlanRequest& request,
                                                       const Deployment& deployment,
                                                       const Balancing& balancing);

nlohmann::json recoveries_json(const std::vector<Recovery>& recoveries);

}  // namespace lingua
