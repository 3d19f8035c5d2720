#include "runtime/plan/pareto.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <string_view>

#include "runtime/base/errors.h"
#include "runtime/plan/estimate.h"
#include "tests/plan/all_chains.h"
#include "tests/plan/problem.h"
#include "tests/plan/random_instance.h"

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

TEST(ParetoFront, IsShownAsTableJsonAndPicture) {
  const Instance instance = random_instance(3, testing::Paths::kChain);
  const ParetoFront front =
      pareto_front("dp", instance.request(Objective::kLatency), kTimeAndEnergy);
  const std::string table = pareto_table(front);
  EXPECT_THAT(table, HasSubstr("latency"));
  EXPECT_THAT(table, HasSubstr("J/token"));
  const nlohmann::json json = pareto_to_json(front);
  EXPECT_EQ(json["points"].size(), front.points.size());
  EXPECT_EQ(json["points"][0]["values"]["latency"], front.points[0].values[0]);
  EXPECT_EQ(json["points"][0]["plan"]["stages"].size(), front.points[0].plan.stages.size());
  const std::string picture = pareto_picture(front);
  EXPECT_EQ(picture.find("<svg"), 0U);
  EXPECT_EQ(picture.find("nan"), std::string::npos);
  EXPECT_EQ(picture.find("inf"), std::string::npos);
  EXPECT_EQ(picture, pareto_picture(front));
}

// Numbers of points that lie on each other: each label stands clear of all others.
TEST(ParetoFront, ItsPictureHasAPlaceForEveryLabelAndGoal) {
  Instance instance = random_instance(3, testing::Paths::kChain);
  ParetoFront front;
  front.goals = {Objective::kLatency, Objective::kThroughput, Objective::kEnergy};
  const PlanRequest request = instance.request(Objective::kLatency);
  const Plan plan = make_plan("dp", request);
  for (int i = 0; i < 14; ++i)
    front.points.push_back({plan, {2 + 0.002 * i, 0.1 - 0.0001 * i, 0.3 + 0.001 * i}});
  const std::string picture = pareto_picture(front);
  EXPECT_THAT(picture, HasSubstr("throughput, tokens/s (more is better)"));
  EXPECT_THAT(picture, HasSubstr("latency, s (less is better)"));
  EXPECT_THAT(picture, HasSubstr("energy, J per token (less is better)"));
  struct Label {
    double x = 0;
    double y = 0;
  };
  std::vector<Label> labels;
  // <text x="12.0" y="34.0" text-anchor="middle" font-weight="bold" font-size="14">5</text>
  const std::string head = "<text x=\"";
  const std::string tail = "text-anchor=\"middle\" font-weight=\"bold\" font-size=\"14\">";
  for (auto at = picture.find(head); at != std::string::npos; at = picture.find(head, at + 1)) {
    Label label;
    int end = 0;
    const char* numbers = picture.c_str() + at + head.size();
    if (std::sscanf(numbers, "%lf\" y=\"%lf\" %n", &label.x, &label.y, &end) == 2 &&
        std::string_view(numbers + end).starts_with(tail)) {
      labels.push_back(label);
    }
  }
  ASSERT_EQ(labels.size(), 2 * front.points.size());
  for (std::size_t a = 0; a < labels.size(); ++a) {
    for (std::size_t b = a + 1; b < labels.size(); ++b) {
      EXPECT_TRUE(std::abs(labels[a].x - labels[b].x) >= 9 ||
                  std::abs(labels[a].y - labels[b].y) >= 13)
          << a << " and " << b;
    }
  }
}

}  // namespace
}  // namespace lingua
