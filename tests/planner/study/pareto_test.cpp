#include "runtime/planner/study/pareto.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/errors.h"
#include "runtime/predict/estimate.h"
#include "tests/planner/all_chains.h"
#include "tests/planner/problem.h"
#include "tests/planner/random_instance.h"

namespace lingua {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Instance;
using testing::random_instance;

const std::vector<Objective> kTimeAndEnergy = {Objective::kLatency, Objective::kEnergy};

bool beats(const std::vector<double>& a, const std::vector<double>& b) {
  bool better = false;
  for (std::size_t g = 0; g < a.size(); ++g) {
    if (a[g] > b[g] * (1 + 1e-9)) return false;
    better = better || a[g] < b[g] * (1 - 1e-6);
  }
  return better;
}

// The values of every plan that there is.
std::vector<std::vector<double>> all_values(const PlanRequest& request,
                                            const std::vector<Objective>& goals) {
  std::vector<std::vector<double>> all;
  const PlanCosts costs(request);
  testing::AllChains(costs, [&](const std::vector<lingua::Run>& runs) {
    Plan plan;
    plan.stages = costs.stages(runs);
    plan.transfers = transfers_of(*request.segmentation, plan.stages);
    const Estimate truth =
        estimate(plan, *request.segmentation, *request.cluster, request.workload);
    all.emplace_back();
    for (const Objective& goal : goals) all.back().push_back(objective_value(truth, goal));
  });
  return all;
}

// Each point is unbeaten among all plans, and no weighted sum has a better plan than the front's.
void expect_front(const Instance& instance, const std::vector<Objective>& goals) {
  const PlanRequest request = instance.request(Objective::kLatency);
  const ParetoFront front = pareto_front("dp", request, goals);
  const auto all = all_values(request, goals);
  ASSERT_FALSE(front.points.empty());
  for (const ParetoPoint& point : front.points) {
    for (const auto& other : all) EXPECT_FALSE(beats(other, point.values));
  }
  for (double share = 0.01; share < 1; share += 0.07) {
    const auto sum = [&](const std::vector<double>& values) {
      return share * values[0] / all[0][0] + (1 - share) * values[1] / all[0][1];
    };
    double best = sum(all[0]);
    for (const auto& values : all) best = std::min(best, sum(values));
    double found = sum(front.points[0].values);
    for (const ParetoPoint& point : front.points) found = std::min(found, sum(point.values));
    EXPECT_LE(found, best * (1 + 1e-6)) << "share " << share;
  }
}

TEST(ParetoFront, HoldsTheBestPlanOfEveryWeightedSum) {
  int with_choice = 0;
  for (int seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    const Instance instance = random_instance(seed, testing::Paths::kResidual, 6);
    try {
      const PlanRequest request = instance.request(Objective::kLatency);
      with_choice += pareto_front("dp", request, kTimeAndEnergy).points.size() > 1 ? 1 : 0;
      expect_front(instance, kTimeAndEnergy);
      expect_front(instance, {Objective::kTtft, Objective::kLatency});
      expect_front(instance, {Objective::kLatency, Objective::kThroughput});
    } catch (const InfeasibleError&) {
    }
  }
  EXPECT_GT(with_choice, 10);
}

TEST(ParetoFront, IsSortedAndHasNoPointTwice) {
  const Instance instance = random_instance(3, testing::Paths::kChain);
  const std::vector<Objective> goals = {Objective::kLatency, Objective::kThroughput,
                                        Objective::kEnergy};
  const ParetoFront front = pareto_front("dp", instance.request(Objective::kLatency), goals);
  for (std::size_t i = 1; i < front.points.size(); ++i) {
    EXPECT_LT(front.points[i - 1].values, front.points[i].values);
    EXPECT_FALSE(beats(front.points[i].values, front.points[i - 1].values));
  }
}

TEST(ParetoFront, LiesBetweenTheGoalsOfTheObjective) {
  ClusterSpec cluster = testing::hand_cluster();
  EXPECT_THAT(goals_of({.latency = 1, .energy = 0.5}, cluster),
              ElementsAre(Objective::kLatency, Objective::kEnergy));
  EXPECT_THAT(goals_of(Objective::kTtft, cluster),
              ElementsAre(Objective::kLatency, Objective::kThroughput));
  for (DeviceSpec& device : cluster.devices) device.power_w = 2;
  EXPECT_THAT(goals_of(Objective::kTtft, cluster),
              ElementsAre(Objective::kLatency, Objective::kThroughput, Objective::kEnergy));
}

}  // namespace
}  // namespace lingua
