#pragma once
// Planners: from segments, cluster and workload to a plan, by name.
//
// Determinism: the same input gives the same plan (random planners take their seed from options).
// Errors: InfeasibleError says which limit binds, in numbers; UsageError for an unknown name.
// A new planner is one file that defines a function and registers it in planner.cpp.

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/plan/plan.h"

namespace lingua {

struct PlanRequest {
  const Segmentation* segmentation = nullptr;
  const ClusterSpec* cluster = nullptr;
  Workload workload;
  Objective objective = Objective::kLatency;
  double time_limit_s = 60;
  std::uint64_t seed = 1;
};

// The stages only; make_plan adds the rest. Empty optimality fields mean a heuristic.
struct PlannerResult {
  std::vector<Stage> stages;
  Optimality optimality = Optimality::kHeuristic;
  double gap = 0;
};

struct PlannerEntry {
  const char* name;
  const char* summary;  // one line, with its source
  PlannerResult (*run)(const PlanRequest& request);
  bool proves = false;  // that nothing is better, where it can
};

const std::vector<PlannerEntry>& planners();

// Runs the named planner, derives the transfers, estimates and checks the plan.
Plan make_plan(const std::string& planner, const PlanRequest& request);

}  // namespace lingua
