#pragma once
// A secondary plan as a table and as JSON: what each device stores, and the scenarios.

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "runtime/planner/overlap/secondary_plan.h"

namespace lingua {

std::string secondary_table(const SecondaryPlan& secondary, const Plan& plan);
nlohmann::json secondary_to_json(const SecondaryPlan& secondary, const Plan& plan);

}  // namespace lingua
