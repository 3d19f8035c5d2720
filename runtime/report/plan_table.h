#pragma once
// A plan as people read it.

#include <string>

#include "runtime/plan/plan.h"

namespace lingua {

// How good the plan is known to be: "optimal", "feasible, within 3% of the proven bound".
std::string proof_text(const Plan& plan);

// What requests of the workload take: "one request of 16 + 16 tokens alone: 1.85 s (...)".
std::string timing_text(const Estimate& estimate, const Workload& workload);

// The plan as people read it: one row per stage with its segments, memory and times, then what the
// whole will do and what holds it back.
std::string plan_table(const Plan& plan, const Segmentation& segmentation,
                       const Workload& workload);

}  // namespace lingua
