#include "runtime/plan/planner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "runtime/base/errors.h"
#include "runtime/plan/estimate.h"
#include "tests/plan/hand_model.h"
#include "tests/plan/random_instance.h"

namespace lingua {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::Instance;
using testing::Paths;

// A hand-made problem that a test changes.
struct Problem {
  Segmentation segmentation = testing::hand_model();
  ClusterSpec cluster = testing::hand_cluster();
  Workload workload = testing::hand_workload();

  PlanRequest request(Objective objective = Objective::kLatency) const {
    PlanRequest request;
    request.segmentation = &segmentation;
    request.cluster = &cluster;
    request.workload = workload;
    request.objective = objective;
    return request;
  }
};

std::vector<std::string> planner_names() {
  std::vector<std::string> names;
  for (const PlannerEntry& entry : planners()) names.push_back(entry.name);
  return names;
}

std::string why_infeasible(const std::string& planner, const Problem& problem) {
  try {
    make_plan(planner, problem.request());
  } catch (const InfeasibleError& error) {
    return error.what();
  }
  return "it has a plan";
}

std::vector<std::string> stages_of(const Plan& plan) {
  std::vector<std::string> rows;
  for (const Stage& stage : plan.stages) {
    rows.push_back(fmt::format("{} {}-{}", stage.device, stage.first_segment, stage.last_segment));
  }
  return rows;
}

class ProvingPlanner : public ::testing::TestWithParam<std::string> {};

TEST_P(ProvingPlanner, NamesTheSegmentThatNoDeviceHolds) {
  Problem problem;
  problem.segmentation.segments[1].weights[0].shape = {500'000'000};
  EXPECT_THAT(why_infeasible(GetParam(), problem),
              AllOf(HasSubstr("segment 1 ('part 1') needs 2.00 GB"), HasSubstr("has 1.00 MB")));
}

TEST_P(ProvingPlanner, NamesTheHeaderThatLacksMemory) {
  Problem problem;
  problem.cluster.header = "B";
  problem.cluster.devices[1].memory_bytes = 5'000;
  EXPECT_THAT(why_infeasible(GetParam(), problem),
              AllOf(HasSubstr("segment 0 ('part 0')"), HasSubstr("header 'B', which has 5.00 kB")));
}

TEST_P(ProvingPlanner, ComparesTheModelWithAllDevicesTogether) {
  Problem problem;
  for (DeviceSpec& device : problem.cluster.devices) device.memory_bytes = 60'000;
  problem.workload.in_flight = 30;
  problem.cluster.devices[0].memory_bytes = 210'000;
  EXPECT_THAT(why_infeasible(GetParam(), problem),
              AllOf(HasSubstr("KV 432 kB"), HasSubstr("the 3 devices together have 330 kB")));
}

TEST_P(ProvingPlanner, SaysWhenOnlyWholeSegmentsStandInTheWay) {
  Problem problem;  // any two segments need more than one of these two devices has
  problem.cluster.devices.pop_back();
  for (DeviceSpec& device : problem.cluster.devices) device.memory_bytes = 60'000;
  EXPECT_THAT(why_infeasible(GetParam(), problem), HasSubstr("no order of runs of whole segments"));
}

TEST_P(ProvingPlanner, GivesNothingToDevicesThatDoNotHelp) {
  Problem problem;
  problem.cluster.default_link = {1e4, Seconds(1)};
  problem.cluster.links.clear();
  EXPECT_THAT(stages_of(make_plan(GetParam(), problem.request())), ::testing::ElementsAre("B 0-2"));
}

TEST_P(ProvingPlanner, SpreadsTheWorkForThroughput) {
  Problem problem;
  problem.cluster.default_link = {1e9, Seconds(0)};
  problem.cluster.links.clear();
  problem.workload.in_flight = 8;
  const Plan plan = make_plan(GetParam(), problem.request(Objective::kThroughput));
  EXPECT_EQ(plan.stages.size(), 3U);
  EXPECT_EQ(plan.device_of(1), "B");
  EXPECT_EQ(plan.optimality, Optimality::kOptimal);
  EXPECT_NEAR(plan.estimate.tokens_per_s, 2 / 2.2, 1e-9);
}

TEST_P(ProvingPlanner, KeepsThePinnedHeader) {
  Problem problem;
  problem.cluster.header = "C";
  EXPECT_EQ(make_plan(GetParam(), problem.request()).header(), "C");
}

INSTANTIATE_TEST_SUITE_P(All, ProvingPlanner, ::testing::ValuesIn([] {
                           std::vector<std::string> names = planner_names();
                           std::erase(names, "even");
                           std::erase(names, "memory");
                           return names;
                         }()),
                         [](const auto& info) { return info.param; });

class EveryPlanner : public ::testing::TestWithParam<std::string> {};

TEST_P(EveryPlanner, GivesCheckedPlansTwiceTheSameOrSaysThatNothingFits) {
  int planned = 0;
  for (int seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    const Instance instance = testing::random_instance(seed, Paths::kResidual);
    const PlanRequest request = instance.request(Objective::kThroughput);
    try {
      Plan plan = make_plan(GetParam(), request);
      check_plan(plan, instance.segmentation, instance.cluster, instance.workload);
      Plan again = make_plan(GetParam(), request);
      again.planning_s = plan.planning_s;
      EXPECT_EQ(plan_to_json(again), plan_to_json(plan));
      EXPECT_EQ(plan.planner, GetParam());
      ++planned;
    } catch (const InfeasibleError&) {
    }
  }
  EXPECT_GT(planned, 10);
}

TEST_P(EveryPlanner, PlansASinglePassOfOneSegmentOnOneDevice) {
  Problem problem;
  problem.segmentation.segments.resize(1);
  problem.segmentation.model_outputs = {1};
  problem.cluster.devices.resize(1);
  problem.workload.max_tokens = 0;
  EXPECT_THAT(stages_of(make_plan(GetParam(), problem.request())), ::testing::ElementsAre("A 0-0"));
}

TEST_P(EveryPlanner, RefusesWorkloadsOutOfRange) {
  for (const Workload& workload : {Workload{.prompt_tokens = 0}, Workload{.max_tokens = -1},
                                   Workload{.in_flight = 0}, Workload{.max_tokens = 1 << 30}}) {
    Problem problem;
    problem.workload = workload;
    EXPECT_THROW(make_plan(GetParam(), problem.request()), UsageError);
  }
}

INSTANTIATE_TEST_SUITE_P(All, EveryPlanner, ::testing::ValuesIn(planner_names()),
                         [](const auto& info) { return info.param; });

TEST(MakePlan, ListsThePlannersWhenTheNameIsUnknown) {
  try {
    make_plan("gurobi", Problem().request());
    FAIL() << "accepted";
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("'gurobi'"), HasSubstr("dp, even, memory, bruteforce")));
  }
}

TEST(EvenPlanner, GivesEachDeviceAsManySegmentsHeaderFirst) {
  Rng rng(1);
  Problem problem;
  problem.segmentation = testing::random_segmentation(7, Paths::kChain, rng);
  for (DeviceSpec& device : problem.cluster.devices) device.memory_bytes = 1e9;
  problem.cluster.header = "B";
  EXPECT_THAT(stages_of(make_plan("even", problem.request())),
              ::testing::ElementsAre("B 0-1", "A 2-3", "C 4-6"));
}

TEST(EvenPlanner, SaysWhichDeviceLacksMemory) {
  Problem problem;
  problem.cluster.devices[2].memory_bytes = 10'000;
  EXPECT_THAT(why_infeasible("even", problem),
              HasSubstr("device 'C' segments 2 to 2, which need 49.6 kB; it has 10.0 kB"));
}

TEST(MemoryPlanner, FillsAllDevicesToTheSameShare) {
  Problem problem;
  problem.segmentation.segments.clear();
  for (int i = 0; i < 20; ++i) {
    Segment segment;
    segment.id = i;
    segment.inputs = {testing::hand_tensor(i, 1)};
    segment.outputs = {testing::hand_tensor(i + 1, 1)};
    segment.weights = {{fmt::format("w{}", i), DType::kFloat32, {1'000'000}}};
    problem.segmentation.segments.push_back(segment);
  }
  problem.segmentation.model_outputs = {20};
  problem.cluster.devices[0].memory_bytes = 30e6;
  problem.cluster.devices[1].memory_bytes = 60e6;
  problem.cluster.devices[2].memory_bytes = 10e6;
  EXPECT_THAT(stages_of(make_plan("memory", problem.request())),
              ::testing::ElementsAre("A 0-5", "B 6-17", "C 18-19"));
}

TEST(BruteforcePlanner, RefusesProblemsThatWouldTakeTooLong) {
  Rng rng(1);
  Problem problem;
  problem.segmentation = testing::random_segmentation(11, Paths::kChain, rng);
  EXPECT_THROW(make_plan("bruteforce", problem.request()), UsageError);
}

TEST(CbcPlanner, StopsAtItsTimeLimitWithAPlanAndAnHonestGap) {
  if (planner_names()[0] != "cbc") GTEST_SKIP() << "built without CBC";
  int unproven = 0;
  for (int seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    Problem problem;
    problem.segmentation = testing::random_segmentation(30, Paths::kChain, rng);
    problem.cluster = testing::random_cluster(9, 4e8, 0.9, rng);
    problem.cluster.header.clear();
    problem.workload.in_flight = 4;
    PlanRequest request = problem.request(Objective::kThroughput);
    const Plan best = make_plan("dp", request);
    request.time_limit_s = 0;
    try {
      const Plan plan = make_plan("cbc", request);
      EXPECT_EQ(plan.gap > 0, plan.optimality == Optimality::kFeasible);
      EXPECT_LE(objective_value(plan.estimate, request.objective) * (1 - plan.gap),
                objective_value(best.estimate, request.objective) * (1 + 1e-9));
      if (plan.gap > 0) ++unproven;
    } catch (const InfeasibleError& error) {
      EXPECT_THAT(error.what(), HasSubstr("no proof that there is none; allow more time"));
      ++unproven;
    }
  }
  EXPECT_GT(unproven, 0);
}

}  // namespace
}  // namespace lingua
