#include "runtime/planner/study/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/predict/plan_costs.h"
#include "runtime/report/explanation_text.h"
#include "tests/planner/problem.h"
#include "tests/planner/random_instance.h"

namespace lingua {
namespace {

using ::testing::HasSubstr;
using testing::Instance;
using testing::Paths;
using testing::Problem;

Explanation explained(const std::string& planner, const PlanRequest& request) {
  return explain(make_plan(planner, request), request);
}

const IdleReason* idle_of(const Explanation& explanation, const DeviceName& device) {
  for (const IdleReason& idle : explanation.idle) {
    if (idle.device == device) return &idle;
  }
  return nullptr;
}

// B does it all in 4.2 s at 2 GFLOP/s; each second device would wait for slow links.
Problem one_is_enough() {
  Problem problem;
  problem.cluster.default_link = {1e4, Seconds(1)};
  problem.cluster.links.clear();
  return problem;
}

TEST(Explain, SaysWhatADeviceWithoutWorkWouldCost) {
  const Problem problem = one_is_enough();
  const PlanRequest request = problem.request();
  const Explanation explanation = explained("dp", request);
  const IdleReason* idle = idle_of(explanation, "A");
  ASSERT_NE(idle, nullptr);
  // In the place of B, whose speed is twice its own; any second device would add seconds of latency.
  EXPECT_EQ(
      idle->why,
      "at best it would take segments 0 to 2 in the place of B: computing takes 7.70 s instead "
      "of 3.85 s, transfers as before");
  EXPECT_NEAR(idle->value.value_or(0), 2 * explanation.value, 1e-9);
  EXPECT_THAT(explanation_text(explanation, request), HasSubstr("  A: at best it would take"));
  EXPECT_THAT(explanation_text(explanation, request), HasSubstr("; in all 7.70 s, 100.0% worse"));
}

TEST(Explain, SaysWhatAFasterDeviceWouldChange) {
  const Problem problem = one_is_enough();
  const Explanation explanation = explained("dp", problem.request());
  std::optional<double> faster;
  for (const Alternative& other : explanation.other_clusters) {
    if (other.what == "B twice as fast") faster = other.value;
  }
  EXPECT_NEAR(faster.value_or(0), explanation.value / 2, 1e-9);
}

TEST(Explain, SaysThatSendingOverlapsOnlyWhereRequestsDo) {
  Problem problem = one_is_enough();
  EXPECT_THAT(explanation_text(explained("dp", problem.request()), problem.request()),
              ::testing::Not(HasSubstr("meanwhile")));
  problem.workload.in_flight = 2;
  EXPECT_THAT(explanation_text(explained("dp", problem.request()), problem.request()),
              HasSubstr(" meanwhile; "));
}

TEST(Explain, CallsADeviceThatIsJustAsGoodNoBetter) {
  Problem problem = one_is_enough();
  problem.cluster.devices[0] = problem.cluster.devices[1];
  problem.cluster.devices[0].name = "A";
  const PlanRequest request = problem.request();
  const Explanation explanation = explained("dp", request);
  ASSERT_EQ(explanation.stages.size(), 1U);
  const IdleReason* idle = idle_of(explanation, explanation.stages[0].device == "A" ? "B" : "A");
  ASSERT_NE(idle, nullptr);
  EXPECT_EQ(idle_text(idle->value.value_or(0), explanation, request.objective),
            "3.85 s, no better than without it");
}

TEST(Explain, SaysWhenNoSegmentFitsADevice) {
  Problem problem = one_is_enough();
  problem.cluster.devices[2].memory_bytes = 1000;
  const Explanation explanation = explained("dp", problem.request());
  ASSERT_NE(idle_of(explanation, "C"), nullptr);
  EXPECT_THAT(idle_of(explanation, "C")->why, HasSubstr("no segment fits its 1.00 kB"));
  EXPECT_FALSE(idle_of(explanation, "C")->value);
}

TEST(Explain, NamesTheDeviceWhoseMemoryIsFull) {
  Problem problem = one_is_enough();
  for (DeviceSpec& device : problem.cluster.devices) device.memory_bytes = 60'000;  // one segment
  const Explanation explanation = explained("dp", problem.request());
  EXPECT_THAT(explanation.binds, HasSubstr("no room for one more segment on"));
  EXPECT_THAT(explanation.stages.front().no_room, HasSubstr("of its neighbour would need"));
  bool tried = false;
  for (const Alternative& other : explanation.other_clusters) {
    tried = tried || other.what.rfind("1 GB more on", 0) == 0;
  }
  EXPECT_TRUE(tried);
}

TEST(Explain, NamesTheDeviceThatComputesAllTheTime) {
  Problem problem;
  problem.cluster.default_link = {1e9, Seconds(0)};
  problem.cluster.links.clear();
  problem.workload = {.prompt_tokens = 10, .max_tokens = 1, .in_flight = 8, .requests = 200};
  const Explanation explanation = explained("dp", problem.request(Objective::kThroughput));
  EXPECT_THAT(explanation.binds, HasSubstr(" computes 99% of the time"));
}

TEST(Explain, ComparesWithEvenAndWithTheBestDeviceAlone) {
  const Problem problem = one_is_enough();
  const Explanation explanation = explained("dp", problem.request());
  ASSERT_EQ(explanation.other_plans.size(), 2U);
  EXPECT_EQ(explanation.other_plans[0].what, "planner even");
  EXPECT_GT(explanation.other_plans[0].value, explanation.value);
  EXPECT_EQ(explanation.other_plans[1].what, "B alone");
  EXPECT_NEAR(explanation.other_plans[1].value.value_or(0), explanation.value, 1e-9);
}

// Nothing that takes a device in beats a plan that is the best, and no better cluster is worse.
TEST(Explain, OfTheBestPlanFindsNothingBetterWithoutABetterCluster) {
  int explanations = 0;
  int idle = 0;
  for (int seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    const Instance instance = testing::random_instance(seed, Paths::kResidual, 5);
    for (Objective objective : {Objective::kLatency, Objective::kThroughput}) {
      const PlanRequest request = instance.request(objective);
      std::optional<Explanation> found;
      try {
        found = explained("bruteforce", request);
      } catch (const InfeasibleError&) {
        continue;
      }
      ++explanations;
      const double value = found->value * (1 - 1e-9);
      for (const IdleReason& reason : found->idle) {
        if (reason.value) ++idle;
        EXPECT_GE(reason.value.value_or(kNoLimit), value);
      }
      for (const Alternative& other : found->other_plans)
        EXPECT_GE(other.value.value_or(kNoLimit), value);
      for (const Alternative& other : found->other_clusters) {
        if (other.what.rfind("without", 0) == 0) {
          EXPECT_GE(other.value.value_or(kNoLimit), value) << other.what;
        } else {
          EXPECT_LE(other.value.value_or(0), found->value * (1 + 1e-9)) << other.what;
        }
      }
    }
  }
  EXPECT_GT(explanations, 60);
  EXPECT_GT(idle, 20);
}

}  // namespace
}  // namespace lingua
