// The planners that prove nothing: each does what its source says.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/planner/all_chains.h"
#include "tests/planner/problem.h"
#include "tests/planner/random_instance.h"

namespace lingua {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Instance;
using testing::Paths;
using testing::Problem;
using testing::stages_of;
using testing::why_infeasible;

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

// Twenty equal segments of 4 MB and 100 MFLOP per token on A, B and C with 1, 2 and 1 GFLOP/s.
Problem twenty_segments() {
  Problem problem;
  problem.segmentation.segments.clear();
  for (int i = 0; i < 20; ++i) {
    Segment segment;
    segment.id = i;
    segment.inputs = {testing::hand_tensor(i, 1)};
    segment.outputs = {testing::hand_tensor(i + 1, 1)};
    segment.weights = {{fmt::format("w{}", i), DType::kFloat32, {1'000'000}}};
    segment.flops = StepFunction({0, 1e8, 0, 0, 0, 0});
    problem.segmentation.segments.push_back(segment);
  }
  problem.segmentation.model_outputs = {20};
  for (DeviceSpec& device : problem.cluster.devices) device.memory_bytes = 100e6;
  return problem;
}

TEST(MemoryPlanner, FillsAllDevicesToTheSameShare) {
  Problem problem = twenty_segments();
  problem.cluster.devices[0].memory_bytes = 30e6;
  problem.cluster.devices[1].memory_bytes = 60e6;
  problem.cluster.devices[2].memory_bytes = 10e6;
  EXPECT_THAT(stages_of(make_plan("memory", problem.request())),
              ElementsAre("A 0-5", "B 6-17", "C 18-19"));
}

TEST(ComputePlanner, GivesSegmentsInProportionToFlops) {
  EXPECT_THAT(stages_of(make_plan("compute", twenty_segments().request())),
              ElementsAre("A 0-4", "B 5-14", "C 15-19"));
}

TEST(ComputePlanner, MovesWhatDoesNotFitToTheOthers) {
  Problem problem = twenty_segments();
  problem.cluster.devices[1].memory_bytes = 16.1e6;
  EXPECT_THAT(stages_of(make_plan("compute", problem.request())),
              ElementsAre("A 0-7", "B 8-11", "C 12-19"));
}

TEST(GreedyPlanner, FillsTheFastestDeviceFirst) {
  Problem problem = twenty_segments();
  problem.cluster.devices[1].memory_bytes = 60.1e6;
  EXPECT_THAT(stages_of(make_plan("greedy", problem.request())), ElementsAre("B 0-14", "A 15-19"));
  problem.cluster.header = "C";
  problem.cluster.devices[2].memory_bytes = 12.1e6;
  EXPECT_THAT(stages_of(make_plan("greedy", problem.request())),
              ElementsAre("C 0-2", "B 3-17", "A 18-19"));
}

TEST(GreedyPlanner, SaysThatAnotherPlannerMayDoBetterWhenItFindsNoPlace) {
  Problem problem = twenty_segments();
  for (DeviceSpec& device : problem.cluster.devices) device.memory_bytes = 20e6;
  EXPECT_THAT(why_infeasible("greedy", problem),
              HasSubstr("planner 'greedy' finds no place for 80.0 MB (20 segments)"));
}

TEST(RandomPlanner, IsDecidedByTheSeedAlone) {
  const Problem problem = twenty_segments();
  std::set<std::vector<std::string>> plans;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    PlanRequest request = problem.request();
    request.seed = seed;
    const Plan plan = make_plan("random", request);
    EXPECT_EQ(stages_of(make_plan("random", request)), stages_of(plan));
    plans.insert(stages_of(plan));
  }
  EXPECT_GT(plans.size(), 15U);
}

TEST(RandomPlanner, KeepsToMemoryWhereItIsTight) {
  Problem problem = twenty_segments();
  for (DeviceSpec& device : problem.cluster.devices) device.memory_bytes = 28.1e6;  // 7 segments
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    PlanRequest request = problem.request();
    request.seed = seed;
    EXPECT_EQ(make_plan("random", request).stages.size(), 3U);
  }
}

// LinguaLinked's objective, written out: compute at 11 tokens, bytes at 50, no ping.
double published_objective(const Instance& instance, const Plan& plan, double unit_factor) {
  double sum = 0;
  for (const Stage& stage : plan.stages) {
    for (SegmentId id = stage.first_segment; id <= stage.last_segment; ++id) {
      sum += instance.segmentation.segments[id].flops.at({11, 0}) /
             instance.cluster.device(stage.device).flops_per_s;
    }
  }
  for (const Transfer& transfer : plan.transfers) {
    sum += transfer.bytes.at({50, 0}) /
           (unit_factor * instance.cluster.link(transfer.from, transfer.to).bytes_per_s);
  }
  return sum;
}

Instance published_instance(int seed) {
  Instance instance = testing::random_instance(seed, Paths::kChain);
  instance.cluster.header = instance.cluster.devices[0].name;
  instance.workload = {.prompt_tokens = 50, .max_tokens = 1};
  for (Segment& segment : instance.segmentation.segments) segment.state.clear();
  return instance;
}

void expect_least_published_objective(const std::string& planner, double unit_factor) {
  int planned = 0;
  for (int seed = 1; seed <= 80; ++seed) {
    SCOPED_TRACE(seed);
    const Instance instance = published_instance(seed);
    Instance small = instance;
    for (DeviceSpec& device : small.cluster.devices) device.memory_bytes *= 0.7;
    const PlanRequest request = small.request(Objective::kLatency);
    const PlanCosts costs(request);
    const double least =
        testing::least_of_all_chains(costs, [&](const std::vector<lingua::Run>& runs) {
          Plan plan;
          plan.stages = costs.stages(runs);
          plan.transfers = transfers_of(small.segmentation, plan.stages);
          return published_objective(small, plan, unit_factor);
        });
    if (least == kNoLimit) continue;
    ++planned;
    const Plan plan = make_plan(planner, instance.request(Objective::kThroughput));
    EXPECT_LE(published_objective(instance, plan, unit_factor), least * 1.002);
  }
  EXPECT_GT(planned, 30);
}

TEST(LingualinkedPlanner, MinimisesThePublishedObjective) {
  expect_least_published_objective("lingualinked", 1);
}

TEST(LingualinkedPlanner, MinimisesItWithThePublishedUnitsWhenAsked) {
  expect_least_published_objective("lingualinked-published", 1000);
}

TEST(LingualinkedPlanner, LetsLatencyDecideNothing) {
  int planned = 0;
  for (int seed = 1; seed <= 40; ++seed) {
    Instance instance = published_instance(seed);
    try {
      const auto before = stages_of(make_plan("lingualinked", instance.request({})));
      instance.cluster.default_link.latency = Seconds(5);
      for (auto& [ends, link] : instance.cluster.links) link.latency = Seconds(7);
      EXPECT_EQ(stages_of(make_plan("lingualinked", instance.request({}))), before);
      ++planned;
    } catch (const InfeasibleError&) {
    }
  }
  EXPECT_GT(planned, 10);
}

TEST(LingualinkedPlanner, KeepsThirtyPercentOfEachMemoryFree) {
  Problem problem = twenty_segments();
  for (DeviceSpec& device : problem.cluster.devices) device.memory_bytes = 28.1e6;
  EXPECT_THAT(why_infeasible("lingualinked", problem), HasSubstr("keeps 30% of each"));
  for (DeviceSpec& device : problem.cluster.devices) device.memory_bytes = 40.1e6;
  EXPECT_THAT(why_infeasible("lingualinked", problem), "it has a plan");
}

TEST(LingualinkedPlanner, WithThePublishedUnitsUsesASlowLinkThatTheRepairedOneAvoids) {
  Problem problem = twenty_segments();
  for (Segment& segment : problem.segmentation.segments) {
    segment.inputs[0] = testing::hand_tensor(segment.inputs[0].value, 1000);
    segment.outputs[0] = testing::hand_tensor(segment.outputs[0].value, 1000);
  }
  for (DeviceSpec& device : problem.cluster.devices) device.memory_bytes = 200e6;
  problem.cluster.links.clear();
  problem.cluster.default_link = {1e3, Seconds(0)};  // 50 s for 50 tokens; B saves at most 11
  EXPECT_THAT(stages_of(make_plan("lingualinked", problem.request())), ElementsAre("A 0-19"));
  EXPECT_THAT(stages_of(make_plan("lingualinked-published", problem.request())),
              ElementsAre("A 0-0", "B 1-19"));
}

TEST(EdgeshardPlanner, MinimisesTheSlowestStageForThroughput) {
  int planned = 0;
  for (int seed = 1; seed <= 120; ++seed) {
    SCOPED_TRACE(seed);
    Instance instance = testing::random_instance(seed, Paths::kChain);
    instance.cluster.header = instance.cluster.devices[0].name;
    const PlanRequest request = instance.request(Objective::kThroughput);
    const PlanCosts costs(request);
    const auto slowest = [&](const std::vector<lingua::Run>& runs) {
      double worst = costs.answer(runs.back(), runs.front().device);
      for (std::size_t r = 0; r < runs.size(); ++r) {
        worst = std::max(worst, costs.compute(runs[r]));
        if (r == 0) continue;
        const lingua::Run& sender = runs[r - 1];
        worst = std::max(
            worst, costs.transfer(sender.device, runs[r].device, sender.first, runs[r].first));
      }
      return worst;
    };
    const double least = testing::least_of_all_chains(costs, slowest);
    if (least == kNoLimit) continue;
    ++planned;
    std::vector<lingua::Run> runs;
    for (const Stage& stage : make_plan("edgeshard", request).stages) {
      runs.push_back(
          {instance.cluster.index_of(stage.device), stage.first_segment, stage.last_segment});
    }
    EXPECT_NEAR(slowest(runs), least, 1e-9 * least);
  }
  EXPECT_GT(planned, 60);
}

TEST(EdgeshardPlanner, IsOftenButNotAlwaysBestForLatency) {
  int planned = 0;
  int best = 0;
  for (int seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    Instance instance = testing::random_instance(seed, Paths::kChain);
    instance.cluster.header = instance.cluster.devices[0].name;
    try {
      const double found =
          make_plan("edgeshard", instance.request(Objective::kLatency)).estimate.latency_s;
      const double least =
          make_plan("dp", instance.request(Objective::kLatency)).estimate.latency_s;
      EXPECT_GE(found, least * (1 - 1e-9));
      ++planned;
      if (found <= least * (1 + 1e-9)) ++best;
    } catch (const InfeasibleError&) {
    }
  }
  EXPECT_GT(best, planned / 2);
  EXPECT_LT(best, planned);
}

}  // namespace
}  // namespace lingua
