#include "runtime/balance/stored_plan.h"

#include <gtest/gtest.h>

#include "runtime/balance/recover.h"
#include "runtime/predict/estimate.h"
#include "tests/balance/lossy_cluster.h"
#include "tests/planner/all_chains.h"

namespace lingua {
namespace {

using testing::LossyCluster;

constexpr double kSlow = 10;    // bytes per second from the coordinator: nothing is worth sending
constexpr double kFast = 1e12;  // and all is

// Nor is anything that another device keeps.
void slow_links_between_devices(LossyCluster& at) {
  for (auto& [ends, link] : at.instance.cluster.links) link.bytes_per_s = kSlow;
}

// The latency of the best of all chains whose devices run what they have, or what nobody has.
double best_within(const LossyCluster& at, const LossSnapshot& loss) {
  const ClusterSpec left = remaining_cluster(loss.present, loss.left);
  PlanRequest request = at.request;
  request.cluster = &left;
  const PlanCosts costs(request);
  std::set<SegmentId> somebodys;
  for (const DeviceSpec& device : left.devices)
    somebodys.insert(loss.held.at(device.name).begin(), loss.held.at(device.name).end());
  double best = kNoLimit;
  testing::AllChains(costs, [&](const std::vector<Run>& runs) {
    for (const Run& run : runs) {
      const std::set<SegmentId>& has = loss.held.at(left.devices[run.device].name);
      for (SegmentId id = run.first; id <= run.last; ++id) {
        if (somebodys.contains(id) && !has.contains(id)) return;
      }
    }
    best = std::min(best, costs.latency(runs));
  });
  return best;
}

class Stored : public ::testing::TestWithParam<int> {
 protected:
  // What devices have: what they run, and some more.
  static Held random_held(LossyCluster& at) {
    Held held = held_by(at.even_plan());
    for (auto& [device, ids] : held) {
      for (SegmentId id = 0; id < 5; ++id) {
        if (at.rng.below(2) == 0) ids.insert(id);
      }
    }
    return held;
  }
};

TEST_P(Stored, ThePlanWithinItIsTheBestOfAllChainsThatItAllows) {
  LossyCluster at(static_cast<std::uint64_t>(GetParam()), 5, 4, 1, kSlow);
  slow_links_between_devices(at);
  const LossSnapshot loss = at.loss("phone1", random_held(at));
  const double best = best_within(at, loss);
  const RecoveryChoice choice = choose_recovery(loss);
  if (best == kNoLimit) {
    EXPECT_EQ(choice.kind, RecoveryKind::kAnew);
    return;
  }
  ASSERT_EQ(choice.kind, RecoveryKind::kStored);
  EXPECT_NEAR(choice.plan.estimate.latency_s, best, 1e-9 * best);
}

TEST_P(Stored, OfTwoPlansTheOneIsTakenThatEndsTheRunSooner) {
  LossyCluster at(static_cast<std::uint64_t>(GetParam()), 5, 4, 1, kSlow);
  const Held held = random_held(at);
  for (const double bytes_per_s : {1e3, 1e5, 1e7, 1e9}) {
    LossSnapshot loss = at.loss("phone1", held);
    loss.present.default_link.bytes_per_s = bytes_per_s;
    const RecoveryChoice choice = choose_recovery(loss);
    LossSnapshot nothing_held = loss;  // which leaves the plan anew, and more to send
    nothing_held.held.clear();
    const RecoveryChoice anew = choose_recovery(nothing_held);
    EXPECT_EQ(anew.kind, RecoveryKind::kAnew);
    EXPECT_LE(choice.total_s(), anew.total_s());
    if (choice.kind == RecoveryKind::kAnew) {
      EXPECT_DOUBLE_EQ(choice.rest_s, anew.rest_s);
    }
  }
}

TEST_P(Stored, WhatDevicesHaveStaysWhereItFitsAndCostsNoWeights) {
  LossyCluster at(static_cast<std::uint64_t>(GetParam()), 5, 4, 0.8, kSlow);
  const Held held = random_held(at);
  const LossSnapshot loss = at.loss("phone1", held);
  const RecoveryChoice choice = choose_recovery(loss);
  check_plan(choice.plan, at.instance.segmentation, at.instance.cluster, at.instance.workload);
  EXPECT_FALSE(held_by(choice.plan).contains("phone1"));
  Plan before;
  double missing = 0;
  for (const auto& [device, ids] : held)
    before.keepers.push_back({device, {ids.begin(), ids.end()}});
  for (const auto& [device, ids] : held_by(choice.plan)) {
    for (const SegmentId id : ids) {
      if (held.at(device).contains(id)) continue;
      EXPECT_TRUE(choice.plan.device_of(id) == device) << "it only stores what it must be sent";
      for (const WeightSpec& weight :
           at.instance.segmentation.segments[static_cast<std::size_t>(id)].weights)
        missing += static_cast<double>(weight.bytes());
    }
  }
  EXPECT_LE(choice.weights_bytes, missing) << "a weight that several use is sent once";
}

INSTANTIATE_TEST_SUITE_P(Seeds, Stored, ::testing::Range(1, 21));

TEST(ChosenRecovery, SendsNothingOverSlowLinksAndAllOverFastOnes) {
  LossyCluster at(3, 6, 3, 2, kSlow);
  slow_links_between_devices(at);
  // phone1 is by far the fastest, and has the least; phone2, which has all, is slow.
  at.instance.cluster.devices[1].slow_down(0.01);
  at.instance.cluster.devices[2].slow_down(50);
  const Held held = {{"phone0", {0, 1}}, {"phone1", {2}}, {"phone2", {0, 1, 2, 3, 4, 5}}};
  LossSnapshot loss = at.loss("phone0", held);
  const RecoveryChoice slow = choose_recovery(loss);
  EXPECT_EQ(slow.kind, RecoveryKind::kStored);
  EXPECT_EQ(slow.weights_bytes, 0);
  loss.present.default_link.bytes_per_s = kFast;
  const RecoveryChoice fast = choose_recovery(loss);
  EXPECT_EQ(fast.kind, RecoveryKind::kAnew);
  EXPECT_GT(fast.weights_bytes, 0);
  EXPECT_TRUE(fast.plan.runs_on("phone1"));
  EXPECT_FALSE(fast.plan.runs_on("phone2"));
  EXPECT_EQ(fast.plan.held_by("phone2").size(), 6U) << "it keeps what it has";
}

// Segments 0 and 5 have a weight in common, as embeddings do that are tied: phone0 keeps 0, and gives it to who
// lacks 5. The coordinator's link would take an hour.
TEST(ChosenRecovery, WeightsComeFromWhoKeepsThem) {
  LossyCluster at(3, 6, 3, 2, kSlow);
  std::vector<Segment>& segments = at.instance.segmentation.segments;
  segments[5].weights = segments[0].weights;
  double bytes = 0;
  for (const WeightSpec& weight : segments[0].weights) bytes += static_cast<double>(weight.bytes());
  Plan before;
  before.keepers = {{"phone0", {0, 1, 2}}, {"phone2", {3, 4}}};
  Plan after;
  after.stages = {{"phone0", 0, 2, {}}, {"phone2", 3, 5, {}}};
  const Forecast forecast(at.request, at.instance.cluster, {});
  const double trip_s = forecast.round_trip_s(after);
  const double fast = at.instance.cluster.link("phone0", "phone2").bytes_per_s;
  ASSERT_GT(fast, 1000 * kSlow);
  EXPECT_EQ(forecast.missing_bytes(before, after), bytes);
  EXPECT_NEAR(forecast.sending_after_loss_s(before, after, {}) - trip_s, bytes / fast,
              0.1 * bytes / fast + 0.1);
  const double alone_s = bytes / kSlow;
  EXPECT_NEAR(forecast.sending_after_loss_s(before, after, {{"phone2", "phone0"}}), alone_s,
              0.1 * alone_s);
  after.stages = {{"phone1", 0, 2, {}}, {"phone2", 3, 5, {}}};  // phone0 drops it
  EXPECT_GT(forecast.sending_after_loss_s(before, after, {}), alone_s);
}

TEST(ChosenRecovery, GoesByTheSpeedsOfTheMoment) {
  LossyCluster at(3, 6, 3, 2, kFast);
  const Held held = held_by(at.even_plan());
  LossSnapshot loss = at.loss("phone0", held);
  for (const int slow : {1, 2}) {
    loss.present = at.instance.cluster;
    loss.present.devices[static_cast<std::size_t>(slow)].slow_down(1000);
    const RecoveryChoice choice = choose_recovery(loss);
    EXPECT_FALSE(choice.plan.runs_on(fmt::format("phone{}", slow)));
  }
}

}  // namespace
}  // namespace lingua
