// Searches that cannot end in the time they have.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>

#include "runtime/base/errors.h"
#include "runtime/planner/planner.h"
#include "runtime/predict/estimate.h"
#include "tests/planner/problem.h"
#include "tests/planner/random_instance.h"

namespace lingua {
namespace {

using ::testing::HasSubstr;
using testing::Instance;
using testing::Paths;
using testing::Problem;
using testing::random_instance;

bool has_cbc() { return planners()[0].name == std::string("cbc"); }

// Of the processor, so that what else the machine does counts for nothing.
double used_s() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

struct Limited {
  int devices;
  const char* planner;
  Objective objective;
};

class LargeCluster : public ::testing::TestWithParam<Limited> {};

// More devices than an exact search tells apart: never worse than the simple planners, and in time.
TEST_P(LargeCluster, IsPlannedWithinTheTimeLimit) {
  const auto& [devices, planner, objective] = GetParam();
  if (std::string(planner) == "cbc" && !has_cbc()) GTEST_SKIP() << "built without CBC";
  Rng rng(5);
  Instance instance = random_instance(5, Paths::kResidual);
  instance.segmentation = testing::random_segmentation(30, Paths::kResidual, rng);
  instance.workload = {.prompt_tokens = 16, .max_tokens = 8, .in_flight = 4, .requests = 8};
  instance.cluster = testing::random_cluster(devices, testing::need_bytes(instance), 1, rng);
  if (devices > 100) instance.cluster.links.clear();  // nobody writes a million of them
  for (DeviceSpec& device : instance.cluster.devices) {
    device.memory_bytes *= 15 * devices / 100;
  }
  PlanRequest request = instance.request(objective);
  request.time_limit_s = 2;
  const double begin = used_s();
  const Plan plan = make_plan(planner, request);
  EXPECT_LE(used_s() - begin, 1.1 * request.time_limit_s);
  for (const char* simple : {"greedy", "compute", "memory"}) {
    try {
      EXPECT_LE(objective_value(plan.estimate, objective),
                objective_value(make_plan(simple, request).estimate, objective) * (1 + 1e-9));
    } catch (const InfeasibleError&) {  // then it says nothing
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, LargeCluster,
                         ::testing::Values(Limited{100, "cbc", Objective::kLatency},
                                           Limited{100, "cbc", Objective::kThroughput},
                                           Limited{100, "dp", Objective::kLatency},
                                           Limited{100, "dp", Objective::kThroughput},
                                           Limited{1000, "cbc", Objective::kLatency},
                                           Limited{1000, "cbc", Objective::kThroughput},
                                           Limited{1000, "dp", Objective::kLatency},
                                           Limited{1000, "dp", Objective::kThroughput}),
                         [](const auto& param) {
                           return fmt::format("{}Of{}For{}", param.param.planner,
                                              param.param.devices,
                                              objective_name(param.param.objective));
                         });

// Its throughput version keeps thousands of sets of devices for each segment.
TEST(EdgeShardPlanner, EndsInTimeWithTheBestSoFar) {
  Rng rng(7);
  Instance instance = testing::alike_instance(62, 48, 1e10, rng);
  instance.workload = {.prompt_tokens = 16, .max_tokens = 8, .in_flight = 4, .requests = 8};
  PlanRequest request = instance.request(Objective::kThroughput);
  request.time_limit_s = 2;
  const double begin = used_s();
  const Plan plan = make_plan("edgeshard", request);
  EXPECT_LE(used_s() - begin, 1.1 * request.time_limit_s);
  EXPECT_GT(plan.stages.size(), 1U);
}

TEST(CbcPlanner, StopsAtItsTimeLimitWithAPlanAndAnHonestGap) {
  if (!has_cbc()) GTEST_SKIP() << "built without CBC";
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
