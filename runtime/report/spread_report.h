#pragma once
// What becomes of a plan where speeds are a little off, as a line and as JSON.

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "runtime/planner/study/robust.h"

namespace lingua {

// "speeds and links off by up to 1% (16 draws, estimated): 22.1 to 26.3 tokens/s, ..."
std::string spread_line(const PlanSpread& spread, const std::string& how);
nlohmann::json spread_to_json(const PlanSpread& spread);

}  // namespace lingua
