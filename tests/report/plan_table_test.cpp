#include "runtime/report/plan_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/predict/estimate.h"
#include "tests/plan/hand_model.h"

namespace lingua {
namespace {

using testing::hand_cluster;
using testing::hand_model;
using testing::hand_plan;
using testing::hand_workload;
using ::testing::HasSubstr;

TEST(PlanTable, NamesEveryDeviceAndTheBottleneck) {
  Plan plan = hand_plan();
  plan.estimate = estimate(plan, hand_model(), hand_cluster(), hand_workload());
  plan.optimality = Optimality::kFeasible;
  plan.gap = 0.125;
  const std::string table = plan_table(plan, hand_model(), hand_workload());
  for (const char* text :
       {"A ", "B ", "C ", "32.0 kB", "bottleneck: A -> C, 2.79 s", "12%", "2.20 s",
        "a step moves 3 tensors between devices, 1 past a stage (residual)"}) {
    EXPECT_THAT(table, HasSubstr(text));
  }
}

TEST(PlanTable, SaysWhatRequestsTake) {
  Estimate estimate;
  estimate.latency_s = 2;
  estimate.ttft_s = 1.5;
  estimate.tpot_s = 0.5;
  estimate.tokens_per_s = 3.25;
  EXPECT_EQ(
      timing_text(estimate, {.prompt_tokens = 10, .max_tokens = 2, .in_flight = 4, .requests = 6}),
      "one request of 10 + 2 tokens alone: 2.00 s (1.50 s to the first token, then 500 ms per "
      "token); 6 requests, 4 in flight: 3.25 tokens/s");
  EXPECT_THAT(timing_text(estimate, {.prompt_tokens = 10, .max_tokens = 0}),
              HasSubstr("of 10 tokens alone"));
}

TEST(PlanTable, OfOneDeviceMovesNothing) {
  Plan plan;
  plan.stages = {{"A", 0, 2, {}}};
  plan.estimate = estimate(plan, hand_model(), hand_cluster(), hand_workload());
  EXPECT_THAT(plan_table(plan, hand_model(), hand_workload()),
              HasSubstr("; nothing moves between devices\n"));
}

TEST(PlanTable, SaysWhereTheTimeOfATokenGoesAndWhenOneDeviceDoesBetter) {
  EXPECT_EQ(token_time_line({0.02, 0.012, 0.003, 4}),
            "a token after the first takes 35.0 ms: 20.0 ms computing, 12.0 ms latency (4 hops), "
            "3.00 ms of bytes\n");
  EXPECT_THAT(token_time_line({0.02, 0, 0, 0}), HasSubstr("20.0 ms, all of it computing"));
  EXPECT_EQ(token_time_line({}), "");
  EXPECT_EQ(alone_line({"a", 1.2}, 3, Objective::kLatency),
            "one device alone is better: a with 1.20 s, this plan with 3.00 s\n");
  EXPECT_EQ(alone_line({"a", 3}, 3, Objective::kLatency), "") << "as good is not better";
}

}  // namespace
}  // namespace lingua
