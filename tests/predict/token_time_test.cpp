#include "runtime/predict/token_time.h"

#include <gtest/gtest.h>

#include "runtime/predict/estimate.h"
#include "tests/plan/hand_model.h"

namespace lingua {
namespace {

using testing::hand_cluster;
using testing::hand_model;
using testing::hand_plan;
using testing::hand_workload;

TokenTime hand_token(const Workload& workload) {
  return token_time(hand_plan(), hand_model(), hand_cluster(), workload);
}

// As in estimate_test.cpp: A 0.2 s, 540 residual bytes at 2 kB/s and 30 ms to C, which computes 0.1 s and
// answers 26 B at 1 MB/s and 40 ms.
TEST(TokenTime, IsThatOfTheCriticalPath) {
  const TokenTime time = hand_token(hand_workload());
  EXPECT_NEAR(time.compute_s, 0.3, 1e-9);
  EXPECT_NEAR(time.latency_s, 0.07, 1e-9);
  EXPECT_NEAR(time.bytes_s, 0.27 + 26e-6, 1e-9);
  EXPECT_EQ(time.hops, 2);
}

TEST(TokenTime, AddsUpToTheEstimatesTimePerToken) {
  Workload workload = hand_workload();
  workload.max_tokens = 50;
  const Estimate whole = estimate(hand_plan(), hand_model(), hand_cluster(), workload);
  EXPECT_NEAR(hand_token(workload).sum_s(), whole.tpot_s, 1e-9);
}

TEST(TokenTime, OfOneDeviceIsComputing) {
  Plan plan = hand_plan();
  plan.stages = {{"A", 0, 2, {}}};
  plan.transfers = transfers_of(hand_model(), plan.stages);
  const TokenTime time = token_time(plan, hand_model(), hand_cluster(), hand_workload());
  EXPECT_EQ(time.hops, 0);
  EXPECT_EQ(time.sum_s(), time.compute_s);
  EXPECT_GT(time.compute_s, 0);
}

TEST(TokenTime, IsNothingWhereNoTokenFollowsTheFirst) {
  Workload workload = hand_workload();
  workload.max_tokens = 1;
  EXPECT_EQ(hand_token(workload).sum_s(), 0);
}

}  // namespace
}  // namespace lingua
