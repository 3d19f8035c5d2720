#pragma once
// A hand-made planning problem that a test changes, and a plan's stages as short text.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <regex>
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

// What a refusal says is needed and what there is, when one byte is missing: two texts that differ.
inline void expect_apart(const std::string& said) {
  static const std::regex kBoth("needs? ([0-9.]+ .?B)\\b.*(?:has|have) ([0-9.]+ .?B)");
  std::smatch found;
  ASSERT_TRUE(std::regex_search(said, found, kBoth)) << said;
  EXPECT_NE(found[1], found[2]) << said;
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
