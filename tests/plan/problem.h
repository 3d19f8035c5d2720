#pragma once
// A hand-made planning problem that a test changes, and a plan's stages as short text.

#include <fmt/format.h>

#include <string>
#include <vector>

#include "runtime/base/errors.h"
#include "tests/plan/hand_model.h"

namespace lingua::testing {

struct Problem {
  Segmentation segmentation = hand_model();
  ClusterSpec cluster = hand_cluster();
  Workload workload = hand_workload();

  PlanRequest request(Objective objective = Objective::kLatency) const {
    PlanRequest request;
    request.segmentation = &segmentation;
    request.cluster = &cluster;
    request.workload = workload;
    request.objective = objective;
    return request;
  }
};

inline std::string why_infeasible(const std::string& planner, const Problem& problem) {
  try {
    make_plan(planner, problem.request());
  } catch (const InfeasibleError& error) {
    return error.what();
  }
  return "it has a plan";
}

// "A 0-2"
inline std::vector<std::string> stages_of(const Plan& plan) {
  std::vector<std::string> rows;
  for (const Stage& stage : plan.stages) {
    rows.push_back(fmt::format("{} {}-{}", stage.device, stage.first_segment, stage.last_segment));
  }
  return rows;
}

}  // namespace lingua::testing
