#include "runtime/balance/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "runtime/base/errors.h"
#include "runtime/predict/estimate.h"
#include "tests/balance/slow_phone.h"

namespace lingua {
namespace {

using ::testing::HasSubstr;
using testing::SlowPhone;
using ::testing::ThrowsMessage;

TEST(Policies, AreFoundByName) {
  for (const char* name : {"none", "lingualinked", "threshold", "optimal", "oracle"})
    EXPECT_EQ(policy(name).name, std::string(name));
  EXPECT_THAT([] { policy("magic"); },
              ThrowsMessage<UsageError>(HasSubstr(
                  "'magic' is not known; write one of none, lingualinked, threshold, optimal")));
}

TEST(Policies, NoneNeverMoves) {
  SlowPhone run(1, 10);
  EXPECT_FALSE(policy("none").decide(run.snapshot()));
}

class Overlap : public ::testing::TestWithParam<int> {};

// Held against all boundaries that what is stored allows.
TEST_P(Overlap, BoundariesMoveToTheBestPlaceThatIsStored) {
  Rng rng(static_cast<std::uint64_t>(GetParam()));
  SlowPhone run(static_cast<std::uint64_t>(GetParam()), rng.uniform(1.5, 6));
  const Snapshot snapshot = run.snapshot();
  const int segments = static_cast<int>(run.instance.segmentation.segments.size());
  double best = std::numeric_limits<double>::infinity();
  const auto& stages = run.plan.stages;
  const auto holds = [&](const Stage& stage, int first, int last) {
    for (int id = first; id <= last; ++id) {
      const auto& stored = stage.stored_segments;
      const bool is_run = id >= stage.first_segment && id <= stage.last_segment;
      if (!is_run && std::find(stored.begin(), stored.end(), id) == stored.end()) return false;
    }
    return true;
  };
  for (int a = 1; a < segments - 1; ++a) {
    for (int b = a + 1; b < segments; ++b) {
      if (!holds(stages[0], 0, a - 1) || !holds(stages[1], a, b - 1) ||
          !holds(stages[2], b, segments - 1))
        continue;
      Plan plan = run.plan;
      plan.stages[0].last_segment = a - 1;
      plan.stages[1].first_segment = a;
      plan.stages[1].last_segment = b - 1;
      plan.stages[2].first_segment = b;
      plan.transfers = transfers_of(run.instance.segmentation, plan.stages);
      best = std::min(
          best, estimate(plan, run.instance.segmentation, snapshot.present, run.instance.workload)
                    .latency_s);
    }
  }
  const std::optional<Plan> plan = plan_within_overlap(snapshot);
  const Plan& found = plan ? *plan : run.plan;
  EXPECT_NEAR(
      estimate(found, run.instance.segmentation, snapshot.present, run.instance.workload).latency_s,
      best, 1e-9 * best);
  if (plan) {
    const Forecast forecast(run.request, snapshot.present, snapshot.requests);
    EXPECT_EQ(forecast.missing_bytes(run.plan, *plan), 0);
    // What is stored stays so.
    EXPECT_EQ(forecast.missing_bytes(*plan, run.plan), 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Overlap, ::testing::Range(1, 41));

TEST(Policies, LinguaLinkedMovesBetweenRequestsOnly) {
  SlowPhone run(3, 5);
  Snapshot snapshot = run.snapshot();
  EXPECT_FALSE(policy("lingualinked").decide(snapshot));
  snapshot.between = true;
  const auto decision = policy("lingualinked").decide(snapshot);
  ASSERT_TRUE(decision);
  EXPECT_EQ(decision->crossings.of(0), Crossing::kEnd);
  EXPECT_EQ(decision->weights_bytes, 0);
  EXPECT_EQ(decision->pause_s, 0);
  EXPECT_THAT(decision->why, HasSubstr("phone1 is 5.00x slower"));
}

TEST(Policies, ThresholdLooksAtTheSpeedAlone) {
  EXPECT_FALSE(policy("threshold").decide(SlowPhone(3, 1.2).snapshot()));
  SlowPhone run(3, 5);
  Snapshot snapshot = run.snapshot();
  snapshot.requests = {{10, 39, 40, true}};  // a single token is left
  const auto decision = policy("threshold").decide(snapshot);
  ASSERT_TRUE(decision);
  EXPECT_LT(decision->gain_s, 0);
}

TEST(Policies, OptimalMovesWhenItPays) {
  SlowPhone run(3, 5);
  Snapshot snapshot = run.snapshot();
  snapshot.requests = {{10, 39, 40, true}};
  EXPECT_FALSE(policy("optimal").decide(snapshot)) << "a single token is left";
  snapshot.requests = {{10, 1, 4000, true}};
  const auto decision = policy("optimal").decide(snapshot);
  ASSERT_TRUE(decision);
  EXPECT_NE(decision->crossings.of(0), Crossing::kEnd);
  EXPECT_GT(decision->gain_s, 0);
  EXPECT_GT(decision->pause_s, 0);
  const Forecast forecast(run.request, snapshot.present, snapshot.requests);
  EXPECT_LT(forecast.rest_s(decision->plan), forecast.rest_s(run.plan));
}

// Of a move when phone1 is slow until `over_s`: by hand, from how long all the work takes at either speed.
double gain_by_hand(const SlowPhone& run, const Snapshot& snapshot, const Decision& decision,
                    double over_s) {
  const Forecast slow(run.request, snapshot.present, snapshot.requests);
  const Forecast fast(run.request, run.instance.cluster, snapshot.requests);
  const double move_s = decision.prepare_s;
  // How much of the work is left at a time, under a plan that ran since another time.
  const auto left_at = [&](double left, const Plan& plan, double since_s, double at_s) {
    const double slow_s = std::max(0.0, std::min(at_s, over_s) - since_s);
    const double fast_s = std::max(0.0, at_s - std::max(since_s, over_s));
    return left - slow_s / slow.rest_s(plan) - fast_s / fast.rest_s(plan);
  };
  const auto end_of = [&](double left, const Plan& plan, double since_s) {
    const double at_change = left_at(left, plan, since_s, std::max(since_s, over_s));
    if (at_change <= 0) return since_s + left * slow.rest_s(plan);
    return std::max(since_s, over_s) + at_change * fast.rest_s(plan);
  };
  const Plan& next = decision.plan;
  const CrossingChoice choice = choose_crossing(slow, run.plan, next, slow.stop_s(run.plan, next));
  return end_of(1, run.plan, 0) - end_of(left_at(1, run.plan, 0, move_s), next, move_s) -
         choice.loss_s;
}

TEST(Policies, OracleLooksAtWhatComes) {
  SlowPhone run(3, 5);
  Snapshot snapshot = run.snapshot();
  snapshot.requests = {{10, 1, 4000, true}};
  const auto for_ever = policy("oracle").decide(snapshot);
  ASSERT_TRUE(for_ever);
  const double rest_s = Forecast(run.request, snapshot.present, snapshot.requests).rest_s(run.plan);
  for (const double over_s : {for_ever->prepare_s / 2, rest_s / 4, rest_s / 2, 2 * rest_s}) {
    snapshot.future = {{over_s, run.instance.cluster}};
    const auto decision = policy("oracle").decide(snapshot);
    ASSERT_TRUE(decision) << over_s;
    const double expected = gain_by_hand(run, snapshot, *decision, over_s);
    EXPECT_NEAR(decision->gain_s, expected, 1e-6 * std::abs(expected)) << over_s;
  }
  EXPECT_EQ(policy("oracle").decide(snapshot)->gain_s, for_ever->gain_s);
}

TEST(Policies, OptimalStaysWhereNothingIsBetter) {
  SlowPhone run(3, 1);
  EXPECT_FALSE(policy("optimal").decide(run.snapshot()));
}

TEST(Policies, OptimalStaysWhereAllIsDone) {
  SlowPhone run(3,
                5);  // whose boundaries would move, and weights be sent, for requests that are left
  Snapshot snapshot = run.snapshot();
  snapshot.between = true;
  snapshot.requests.clear();
  EXPECT_FALSE(policy("optimal").decide(snapshot));
}

// A device looks at what it is told when it has computed the prompt that is under way: once to prepare, once to
// retire. What its segments take for a prompt of ten tokens is the roofline's.
TEST(Forecasts, PromptsThatAreUnderWayKeepWhatCrossesWaiting) {
  SlowPhone run(3, 5);
  const Snapshot snapshot = run.snapshot();
  const std::optional<Plan> plan = plan_within_overlap(snapshot);
  ASSERT_TRUE(plan);
  double slowest_s = 0;
  for (const Stage& stage : run.plan.stages) {
    double prompt_s = 0;
    for (SegmentId id = stage.first_segment; id <= stage.last_segment; ++id)
      prompt_s += compute_time(run.instance.segmentation.segments[static_cast<std::size_t>(id)],
                               snapshot.present.device(stage.device), {10, 0})
                      .count();
    slowest_s = std::max(slowest_s, prompt_s);
  }
  std::map<DeviceName, std::int64_t> queued;
  const auto stop_s = [&](int prompting) {  // 24 tokens have been made in all
    std::vector<RequestLeft> requests;
    for (int i = 0; i < 4; ++i)
      requests.push_back({10, i < prompting ? 0 : 24 / (4 - prompting), 40, true});
    return Forecast(run.request, snapshot.present, requests, 0, queued).stop_s(run.plan, *plan);
  };
  EXPECT_NEAR(stop_s(1) - stop_s(0), slowest_s, 1e-9);
  EXPECT_NEAR(stop_s(2) - stop_s(0), 2 * slowest_s, 1e-9);
  EXPECT_NEAR(stop_s(3) - stop_s(0), 2 * slowest_s, 1e-9) << "two are all that it waits for";
  queued["phone1"] = 0;
  EXPECT_NEAR(stop_s(3), stop_s(0), 1e-9) << "they have gone on";
}

// One request that generates, on one device: its tokens one after the other.
TEST(Forecasts, TheRestIsTheTokensThatAreLeft) {
  SlowPhone run(3, 1);
  run.plan.stages = {{"phone0", 0, 5, {}}};
  run.plan.transfers = transfers_of(run.instance.segmentation, run.plan.stages);
  const Snapshot snapshot = run.snapshot();
  const auto rest_s = [&](std::int64_t made, std::int64_t max_tokens) {
    const std::vector<RequestLeft> requests = {{10, made, max_tokens, true}};
    return Forecast(run.request, snapshot.present, requests).rest_s(run.plan);
  };
  double expected_s = 0;
  for (std::int64_t step = 0; step < 30; ++step) {
    for (const Segment& segment : run.instance.segmentation.segments)
      expected_s += compute_time(segment, snapshot.present.devices[0], {1, 20 + step}).count();
  }
  EXPECT_NEAR(rest_s(10, 40), expected_s, 0.01 * expected_s);
  EXPECT_EQ(rest_s(40, 40), 0);
}

TEST(Forecasts, WhatDoesNotFitBesideTheRunningPlanIsSeen) {
  SlowPhone run(3, 5);
  Plan other = run.plan;
  std::swap(other.stages[0].device, other.stages[1].device);
  const Snapshot snapshot = run.snapshot();
  EXPECT_TRUE(Forecast(run.request, snapshot.present, {}).fits_beside(run.plan, other));
  ClusterSpec small = snapshot.present;
  for (DeviceSpec& device : small.devices) device.memory_bytes = 1000;
  EXPECT_FALSE(Forecast(run.request, small, {}).fits_beside(run.plan, other));
}

}  // namespace
}  // namespace lingua
