#pragma once
// Why a plan is as it is, for people.

#include <optional>
#include <string>

#include "runtime/planner/study/explain.h"

namespace lingua {

// A value of other plans beside that of the plan: "7.53 s, 1.3% worse".
std::string change_text(const std::optional<double>& value, const Explanation& explanation,
                        const Objective& objective);

// The same of the best plan in which an idle device takes part: a tie is called no better.
std::string idle_text(double value, const Explanation& explanation, const Objective& objective);

// All of it.
std::string explanation_text(const Explanation& explanation, const PlanRequest& request);

}  // namespace lingua
