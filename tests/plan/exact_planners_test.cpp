#include <gtest/gtest.h>

#include <optional>

#include "runtime/base/errors.h"
#include "runtime/plan/estimate.h"
#include "runtime/plan/planner.h"
#include "tests/plan/random_instance.h"

namespace lingua {
namespace {

using testing::Instance;
using testing::Paths;
using testing::random_instance;

constexpr double kTolerance = 1e-6;  // relative

std::optional<Plan> plan_or_nothing(const std::string& planner, const PlanRequest& request) {
  try {
    return make_plan(planner, request);
  } catch (const InfeasibleError&) {
    return std::nullopt;
  }
}

struct Tally {
  int planned = 0;
  int infeasible = 0;
  int proven = 0;
  int several_stages = 0;
};

// Compares a planner with the enumeration of all plans; what must hold whatever the paths are.
Tally compare(const std::string& planner, const Objective& objective, Paths paths, int instances,
              bool with_rules = false) {
  Tally tally;
  for (int seed = 1; seed <= instances; ++seed) {
    SCOPED_TRACE(fmt::format("{}, seed {}", planner, seed));
    Instance instance = random_instance(seed, paths);
    Rng rng(seed);
    if (with_rules) instance.rules = testing::random_rules(instance, rng);
    if (objective.tpot > 0) instance.workload.max_tokens += 2;
    const PlanRequest request = instance.request(objective);
    const std::optional<Plan> truth = plan_or_nothing("bruteforce", request);
    const std::optional<Plan> plan = plan_or_nothing(planner, request);
    EXPECT_EQ(truth.has_value(), plan.has_value());
    if (!truth || !plan) {
      ++tally.infeasible;
      continue;
    }
    ++tally.planned;
    const double best = objective_value(truth->estimate, objective);
    const double found = objective_value(plan->estimate, objective);
    EXPECT_GE(found, best * (1 - kTolerance));
    EXPECT_LE(found * (1 - plan->gap), best * (1 + kTolerance)) << "the bound is above the optimum";
    if (plan->optimality == Optimality::kOptimal) {
      EXPECT_LE(found, best * (1 + kTolerance)) << "called optimal and is not";
      EXPECT_EQ(plan->gap, 0);
      ++tally.proven;
    }
    if (truth->stages.size() > 1) ++tally.several_stages;
  }
  return tally;
}

std::vector<std::string> exact_planners() {
  std::vector<std::string> names;
  for (const PlannerEntry& entry : planners()) {
    const std::string name = entry.name;
    if (name == "cbc" || name == "dp") names.push_back(name);
  }
  return names;
}

class ExactPlanner : public ::testing::TestWithParam<std::tuple<std::string, Objective>> {};

TEST_P(ExactPlanner, FindsTheOptimumOfEveryChain) {
  const auto& [planner, objective] = GetParam();
  const Tally tally = compare(planner, objective, Paths::kChain, 200);
  EXPECT_EQ(tally.proven, tally.planned);
  EXPECT_GT(tally.planned, 80);
  EXPECT_GT(tally.infeasible, 10);
  EXPECT_GT(tally.several_stages, 40);
}

TEST_P(ExactPlanner, FindsTheOptimumWhereResidualTransfersCount) {
  const auto& [planner, objective] = GetParam();
  const Tally tally = compare(planner, objective, Paths::kResidual, 100);
  EXPECT_EQ(tally.proven, tally.planned);
  EXPECT_GT(tally.planned, 60);
  EXPECT_GT(tally.several_stages, 30);
}

TEST_P(ExactPlanner, FindsTheOptimumThatKeepsTheRules) {
  const auto& [planner, objective] = GetParam();
  const Tally tally = compare(planner, objective, Paths::kResidual, 150, true);
  EXPECT_EQ(tally.proven, tally.planned);
  EXPECT_GT(tally.planned, 50);
  EXPECT_GT(tally.infeasible, 20);
  EXPECT_GT(tally.several_stages, 30);
}

INSTANTIATE_TEST_SUITE_P(All, ExactPlanner,
                         ::testing::Combine(::testing::ValuesIn(exact_planners()),
                                            ::testing::ValuesIn(testing::objectives())),
                         [](const auto& info) {
                           return std::get<0>(info.param) + "_" +
                                  testing::test_name(std::get<1>(info.param));
                         });

}  // namespace
}  // namespace lingua
