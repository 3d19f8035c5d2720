#include "runtime/planner/planner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "runtime/base/errors.h"
#include "runtime/plan/run_memory.h"
#include "tests/planner/problem.h"
#include "tests/planner/random_instance.h"

namespace lingua {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::Instance;
using testing::Paths;
using testing::Problem;
using testing::stages_of;
using testing::why_infeasible;

std::vector<std::string> planner_names() {
  std::vector<std::string> names;
  for (const PlannerEntry& entry : planners()) names.push_back(entry.name);
  return names;
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

TEST(Infeasible, TellsWhatIsNeededFromWhatThereIsByTheByte) {
  const Problem problem;
  const auto needed = [&](SegmentId first, SegmentId last) {
    RunMemory memory(problem.workload);
    for (SegmentId id = first; id <= last; ++id) memory.run(problem.segmentation.segments[id]);
    return memory.total_bytes();
  };
  constexpr double kPlenty = 1e9;
  const auto why = [&](double first, double others, const PlanRules& rules) {
    Problem short_of_one = problem;
    short_of_one.cluster.header = "A";
    for (DeviceSpec& device : short_of_one.cluster.devices) device.memory_bytes = others;
    short_of_one.cluster.devices[0].memory_bytes = first;
    PlanRequest request = short_of_one.request();
    request.rules = rules;
    try {
      make_plan("dp", request);
    } catch (const InfeasibleError& error) {
      return std::string(error.what());
    }
    return std::string("it has a plan");
  };
  testing::expect_apart(why(needed(0, 0) - 1, kPlenty, {}));
  testing::expect_apart(why(needed(0, 1) - 1, kPlenty, {.header_keeps = 2}));
  const double largest = std::max({needed(0, 0), needed(1, 1), needed(2, 2)});
  testing::expect_apart(why(largest - 1, largest - 1, {}));
  testing::expect_apart(why(needed(0, 2) - 1, kPlenty, {.excluded = {"B", "C"}}));
}

// 2 MB are tied. A holds both ends (2.06 MB) and not all (2.07 MB), the others the middle.
TEST_P(ProvingPlanner, NamesTiedWeightsThatTwoDevicesWouldHold) {
  Problem problem;
  for (const int end : {0, 2}) problem.segmentation.segments[end].weights[1].shape = {500'000};
  problem.cluster.devices[0].memory_bytes = 2'062'000;
  problem.cluster.devices[1].memory_bytes = 500'000;
  problem.cluster.devices[2].memory_bytes = 500'000;
  EXPECT_THAT(
      why_infeasible(GetParam(), problem),
      AllOf(HasSubstr("the first and the last segment share weights of 2.00 MB, and only 'A' "
                      "can hold either"),
            HasSubstr("`header-keeps-last` 1")));
  // What it says helps.
  PlanRequest request = problem.request();
  request.rules.header_keeps_last = 1;
  EXPECT_EQ(make_plan(GetParam(), request).stages.size(), 3u);
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
  problem.workload.requests = 32;
  problem.workload.max_tokens = 1;
  const Plan plan = make_plan(GetParam(), problem.request(Objective::kThroughput));
  EXPECT_EQ(plan.stages.size(), 3U);
  EXPECT_EQ(plan.device_of(1), "B");
  EXPECT_EQ(plan.optimality, Optimality::kOptimal);
  EXPECT_GT(plan.estimate.tokens_per_s, 0.9 / 2);
}

TEST_P(ProvingPlanner, ProvesNothingOfBatchesAndPromptsInPieces) {
  Problem problem;
  const auto optimality = [&](const Scheduling& scheduling) {
    problem.workload.scheduling = scheduling;
    return make_plan(GetParam(), problem.request()).optimality;
  };
  EXPECT_EQ(optimality({Policy::kDecodeFirst}), Optimality::kOptimal);
  EXPECT_EQ(optimality({Policy::kFifo, 4}), Optimality::kHeuristic);
  EXPECT_EQ(optimality({Policy::kFifo, 1, 2}), Optimality::kHeuristic);
}

TEST_P(ProvingPlanner, KeepsThePinnedHeader) {
  Problem problem;
  problem.cluster.header = "C";
  EXPECT_EQ(make_plan(GetParam(), problem.request()).header(), "C");
}

INSTANTIATE_TEST_SUITE_P(All, ProvingPlanner, ::testing::ValuesIn([] {
                           std::vector<std::string> names = planner_names();
                           std::erase_if(names, [](const std::string& name) {
                             return name != "cbc" && name != "dp" && name != "bruteforce";
                           });
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

// Of each device some segments; what the planners that prove find must agree.
MayRun some_of_each(std::uint64_t seed, const Instance& instance) {
  Rng rng(seed);
  std::map<DeviceName, std::set<SegmentId>> allowed;
  for (const DeviceSpec& device : instance.cluster.devices) {
    for (const Segment& segment : instance.segmentation.segments) {
      if (rng.below(4) > 0) allowed[device.name].insert(segment.id);
    }
  }
  return [allowed](const DeviceName& device, SegmentId first, SegmentId last) {
    const auto place = allowed.find(device);
    for (SegmentId id = first; id <= last; ++id) {
      if (place == allowed.end() || !place->second.contains(id)) return false;
    }
    return true;
  };
}

TEST_P(EveryPlanner, LetsDevicesRunWhatTheyMay) {
  int planned = 0;
  for (int seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    const Instance instance = testing::random_instance(seed, Paths::kResidual);
    PlanRequest request = instance.request(Objective::kLatency);
    request.may_run = some_of_each(static_cast<std::uint64_t>(seed), instance);
    try {
      const Plan plan = make_plan(GetParam(), request);
      check_plan(plan, instance.segmentation, instance.cluster, instance.workload);
      for (const Stage& stage : plan.stages)
        EXPECT_TRUE(request.may_run(stage.device, stage.first_segment, stage.last_segment));
      if (plan.optimality == Optimality::kOptimal) {
        EXPECT_NEAR(plan.estimate.latency_s, make_plan("bruteforce", request).estimate.latency_s,
                    1e-9);
      }
      ++planned;
    } catch (const InfeasibleError&) {
    }
  }
  EXPECT_GT(planned, 0);
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
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(MakePlan, ListsThePlannersWhenTheNameIsUnknown) {
  try {
    make_plan("gurobi", Problem().request());
    FAIL() << "accepted";
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("'gurobi'"), HasSubstr("dp, even, memory, compute")));
  }
}

TEST(LargeCluster, IsPlannedOrRefusedInWordsByEveryPlanner) {
  Rng rng(6);
  Instance instance = random_instance(6, Paths::kResidual);
  instance.cluster = testing::random_cluster(65, testing::need_bytes(instance), 1, rng);
  for (const std::string& name : planner_names()) {
    SCOPED_TRACE(name);
    PlanRequest request = instance.request(Objective::kLatency);
    request.time_limit_s = 1;
    try {
      EXPECT_FALSE(make_plan(name, request).stages.empty());
    } catch (const UsageError& error) {
      EXPECT_THAT(error.what(), HasSubstr(name));
    } catch (const InfeasibleError&) {
    }
  }
}

TEST(BruteforcePlanner, RefusesProblemsThatWouldTakeTooLong) {
  Rng rng(1);
  Problem problem;
  problem.segmentation = testing::random_segmentation(11, Paths::kChain, rng);
  EXPECT_THROW(make_plan("bruteforce", problem.request()), UsageError);
}

}  // namespace
}  // namespace lingua
