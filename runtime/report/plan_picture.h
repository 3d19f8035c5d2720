#pragma once
// A plan as a picture (SVG): which part of the model each device runs, what its memory holds, how its
// time is spent, what goes from whom to whom, and who has nothing and why.
//
// Determinism: the same plan gives the same text. It stands alone: no fonts, scripts or links.

#include <string>

#include "runtime/planner/study/explain.h"

namespace lingua {

// REQUIRES: the explanation is of this plan and request.
std::string plan_picture(const Plan& plan, const PlanRequest& request,
                         const Explanation& explanation);

}  // namespace lingua
