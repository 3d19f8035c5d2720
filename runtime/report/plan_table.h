#pragma once
// A plan as people read it.

#include <string>

#include "runtime/plan/plan.h"
#include "runtime/planner/study/best_alone.h"
#include "runtime/predict/token_time.h"

namespace lingua {

// How good the plan is known to be: "optimal", "feasible, within 3% of the proven bound".
std::string proof_text(const Plan& plan);

// What requests of the workload take: "one request of 16 + 16 tokens alone: 1.85 s (...)".
std::string timing_text(const Estimate& estimate, const Workload& workload);

// The plan as people read it: one row per stage with its segments, memory and times, then what the
// whole will do and what holds it back.
std::string plan_table(const Plan& plan, const Segmentation& segmentation,
                       const Workload& workload);

// "a token after the first takes 35 ms: 20 ms computing, 12 ms latency (4 hops), 3 ms of bytes"; empty where
// there is none.
std::string token_time_line(const TokenTime& time);

// That one device alone does better than a plan of this value; empty where it does not.
std::string alone_line(const BestAlone& alone, double value, const Objective& objective);

}  // namespace lingua
