#include <gtest/gtest.h>

#include <optional>

#include "runtime/base/errors.h"
#include "runtime/planner/planner.h"
#include "runtime/predict/estimate.h"
#include "tests/planner/random_instance.h"

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
              bool with_rules = false, const Communication& communication = {}) {
  Tally tally;
  for (int seed = 1; seed <= instances; ++seed) {
    SCOPED_TRACE(fmt::format("{}, seed {}", planner, seed));
    Instance instance = random_instance(seed, paths);
    Rng rng(seed);
    if (with_rules) instance.rules = testing::random_rules(instance, rng);
    if (objective.tpot > 0) instance.workload.max_tokens += 2;
    instance.workload.communication = communication;
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

TEST_P(ExactPlanner, FindsTheOptimumWhereValuesAreRelayedAndPacked) {
  const auto& [planner, objective] = GetParam();
  for (const WireType wire : {WireType::kAsComputed, WireType::kInt8}) {
    const Tally tally =
        compare(planner, objective, Paths::kResidual, 60, true, {wire, ResidualPath::kRelay, true});
    EXPECT_EQ(tally.proven, tally.planned);
    EXPECT_GT(tally.planned, 20);
    EXPECT_GT(tally.several_stages, 10);
  }
}

// Then the cost of a chain is no bound, and nothing is called proven.
TEST_P(ExactPlanner, ComesNearTheOptimumWhereSegmentsAreNoChain) {
  const auto& [planner, objective] = GetParam();
  int planned = 0;
  double sum = 0;
  double worst = 1;
  for (int seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(fmt::format("{}, seed {}", planner, seed));
    Instance instance = random_instance(seed, Paths::kChain);
    if (instance.segmentation.segments.size() < 5) continue;
    instance.segmentation = testing::with_pieces(std::move(instance.segmentation), 3);
    if (objective.tpot > 0) instance.workload.max_tokens += 2;
    const PlanRequest request = instance.request(objective);
    const std::optional<Plan> truth = plan_or_nothing("bruteforce", request);
    const std::optional<Plan> plan = plan_or_nothing(planner, request);
    ASSERT_EQ(truth.has_value(), plan.has_value());
    if (!truth) continue;
    ++planned;
    EXPECT_EQ(plan->optimality, Optimality::kHeuristic);
    const double ratio =
        objective_value(plan->estimate, objective) / objective_value(truth->estimate, objective);
    sum += ratio;
    worst = std::max(worst, ratio);
  }
  EXPECT_GT(planned, 20);
  EXPECT_LT(sum / planned, 1.002);
  EXPECT_LT(worst, 1.03);
}

// Planning again after the speeds have changed: from any plan, to the same optimum.
TEST_P(ExactPlanner, FindsTheOptimumFromAnyPlanThatRuns) {
  const auto& [planner, objective] = GetParam();
  int planned = 0;
  for (int seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(fmt::format("{}, seed {}", planner, seed));
    Instance instance = random_instance(seed, Paths::kResidual);
    if (objective.tpot > 0) instance.workload.max_tokens += 2;
    PlanRequest request = instance.request(objective);
    const std::optional<Plan> running = plan_or_nothing("random", request);
    if (!running) continue;
    Rng rng(seed);
    for (DeviceSpec& device : instance.cluster.devices) device.flops_per_s *= rng.uniform(0.2, 1.5);
    // Every third time it may no longer fit.
    if (seed % 3 == 0) instance.cluster.devices.back().memory_bytes *= 0.5;
    const std::optional<Plan> truth = plan_or_nothing("bruteforce", request);
    request.running = &running->stages;
    const std::optional<Plan> again = plan_or_nothing(planner, request);
    ASSERT_EQ(truth.has_value(), again.has_value());
    if (!truth) continue;
    ++planned;
    const double best = objective_value(truth->estimate, objective);
    EXPECT_EQ(again->optimality, Optimality::kOptimal);
    EXPECT_NEAR(objective_value(again->estimate, objective) / best, 1, kTolerance);
  }
  EXPECT_GT(planned, 30);
}

TEST_P(ExactPlanner, GivesAPlanHoweverShortTheTimeIs) {
  const auto& [planner, objective] = GetParam();
  Rng rng(3);
  Instance instance = random_instance(3, Paths::kResidual);
  instance.segmentation = testing::random_segmentation(40, Paths::kResidual, rng);
  instance.cluster = testing::random_cluster(8, testing::need_bytes(instance), 0.4, rng);
  testing::give_power(instance.cluster, rng);
  instance.workload.max_tokens += 2;
  PlanRequest request = instance.request(objective);
  request.time_limit_s = 1e-9;
  const Plan from_nothing = make_plan(planner, request);
  EXPECT_NE(from_nothing.optimality, Optimality::kHeuristic);
  const Plan running = make_plan("random", request);
  request.running = &running.stages;
  const Plan again = make_plan(planner, request);
  EXPECT_LE(objective_value(again.estimate, objective),
            objective_value(running.estimate, objective) * (1 + kTolerance));
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
