#include "runtime/predict/estimate.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "runtime/base/errors.h"
#include "runtime/device/roofline.h"
#include "tests/plan/hand_model.h"
#include "tests/planner/random_instance.h"

namespace lingua {
namespace {

using testing::hand_cluster;
using testing::hand_model;
using testing::hand_plan;
using testing::hand_workload;

Estimate hand_estimate(const ClusterSpec& cluster = hand_cluster()) {
  return estimate(hand_plan(), hand_model(), cluster, hand_workload());
}

// A message of one tensor has 40 bytes besides, an answer 26.
// Prefill of 10 tokens. A computes 2 s; B has its 10,040 B 0.02004 s later and computes 2 s; C would
// have B's 1,040 B at 4.05044 s but waits for A's 5,040 residual bytes at 2 kB/s until 4.55 s; it
// computes 1 s and answers in 0.040026 s: 5.590026 s.
// Decode of 1: A 0.2; residual 540 B until 0.5 (B's message is there at 0.43244); C 0.1; answer:
// 0.640026 s.
TEST(Estimate, FollowsTheLongestPathOfEachStep) {
  const Estimate hand = hand_estimate();
  EXPECT_NEAR(hand.ttft_s, 5.590026, 1e-9);
  EXPECT_NEAR(hand.tpot_s, 0.640026, 1e-9);
  EXPECT_NEAR(hand.latency_s, 6.230052, 1e-9);
}

TEST(Estimate, LetsAFastResidualPathCostNothing) {
  ClusterSpec cluster = hand_cluster();
  cluster.links[{"A", "C"}] = {1e6, Seconds(0.03)};
  EXPECT_NEAR(hand_estimate(cluster).ttft_s, 2 + 0.02004 + 2 + 0.0304 + 1 + 0.040026, 1e-9);
}

TEST(Estimate, NamesTheBusiestDeviceOrLink) {
  const Estimate hand = hand_estimate();
  EXPECT_EQ(hand.bottleneck, "A -> C");
  EXPECT_NEAR(hand.bottleneck_s, 5580 / 2e3, 1e-9);
  ClusterSpec cluster = hand_cluster();
  cluster.links[{"A", "C"}] = {1e6, Seconds(0.03)};
  cluster.devices[1].flops_per_s = 1e9;
  EXPECT_EQ(hand_estimate(cluster).bottleneck, "B computing");
  cluster.shared_bytes_per_s = 2e3;
  EXPECT_EQ(hand_estimate(cluster).bottleneck, "the shared medium");
  // 11,080 B from A to B, 5,580 from A to C, 1,180 from B to C, 52 from C to A.
  EXPECT_NEAR(hand_estimate(cluster).bottleneck_s, 17'892 / 2e3, 1e-9);
}

// A computes 2.2 s, B 2.2 s, C 1.1 s; the bytes above take 0.01108, 2.79, 0.0118 and 0.000052 s.
TEST(Estimate, AddsUpWhatComputingAndRadiosDraw) {
  ClusterSpec cluster = hand_cluster();
  EXPECT_EQ(hand_estimate(cluster).energy_per_token_j, 0);
  for (int d = 0; d < 3; ++d) cluster.devices[d].power_w = 2 + d;
  cluster.radio_power_w = 0.5;
  const Estimate hand = hand_estimate(cluster);
  EXPECT_NEAR(hand.energy_per_token_j, (2 * 2.2 + 3 * 2.2 + 4 * 1.1 + 0.5 * 2.812932) / 2, 1e-9);
  EXPECT_NEAR(hand.stages[0].energy_j, 2 * 2.2 + 0.25 * (0.01108 + 2.79 + 0.000052), 1e-9);
  EXPECT_EQ(objective_value(hand, Objective::kEnergy), hand.energy_per_token_j);
  EXPECT_NEAR(objective_value(hand, {.ttft = 2, .energy = 3}),
              2 * hand.ttft_s + 3 * hand.energy_per_token_j, 1e-12);
}

Estimate many_requests(int in_flight, int requests, std::int64_t max_tokens = 2) {
  Workload workload = hand_workload();
  workload.max_tokens = max_tokens;
  workload.in_flight = in_flight;
  workload.requests = requests;
  return estimate(hand_plan(), hand_model(), hand_cluster(), workload);
}

TEST(Estimate, OfOneRequestAfterTheOtherIsItsLatencyAndTheWayOverTheCoordinator) {
  EXPECT_NEAR(many_requests(1, 1).tokens_per_s, 2 / 6.230052, 1e-9);
  EXPECT_NEAR(objective_value(many_requests(1, 1), Objective::kThroughput), 3.115026, 1e-9);
  EXPECT_NEAR(objective_value(many_requests(1, 1), Objective::kLatency), 6.230052, 1e-9);
  EXPECT_NEAR(many_requests(1, 50).tokens_per_s, 2 / (6.2301 + 0.08), 1e-3);
}

// Prefills alone: 5.59 s each, of which the link from A to C is busy for 2.52 s.
TEST(Estimate, FillsThePipelineUntilTheBottleneckBinds) {
  EXPECT_NEAR(many_requests(1, 300, 1).tokens_per_s, 1 / (5.59 + 0.08), 1e-3);
  EXPECT_NEAR(many_requests(2, 300, 1).tokens_per_s, 2 / (5.59 + 0.08), 1e-2);
  EXPECT_NEAR(many_requests(3, 300, 1).tokens_per_s, 1 / 2.52, 1e-2);
  EXPECT_NEAR(many_requests(9, 300, 1).tokens_per_s, 1 / 2.52, 1e-2);
  EXPECT_NEAR(many_requests(9, 9, 1).tokens_per_s, 9 / (5.59 + 8 * 2.52), 1e-2);
}

// Prompts of 3, 3 and 9 tokens in turn.
TEST(Estimate, OfPromptsThatDifferIsTheMeanOfTheRequests) {
  const auto of = [](std::vector<std::int64_t> lengths) {
    Workload workload = hand_workload();
    workload.requests = 3;
    workload.prompt_tokens = *std::max_element(lengths.begin(), lengths.end());
    if (lengths.size() > 1) workload.prompt_lengths = lengths;
    return estimate(hand_plan(), hand_model(), hand_cluster(), workload);
  };
  const Estimate mixed = of({3, 3, 9});
  const Estimate low = of({3});
  const Estimate high = of({9});
  EXPECT_NEAR(mixed.latency_s, (2 * low.latency_s + high.latency_s) / 3, 1e-9);
  EXPECT_NEAR(mixed.ttft_s, (2 * low.ttft_s + high.ttft_s) / 3, 1e-9);
  EXPECT_NEAR(mixed.tpot_s, (2 * low.tpot_s + high.tpot_s) / 3, 1e-9);
  EXPECT_NEAR(mixed.stages[0].compute_s,
              (2 * low.stages[0].compute_s + high.stages[0].compute_s) / 3, 1e-9);
  EXPECT_NEAR(mixed.bottleneck_s, (2 * low.bottleneck_s + high.bottleneck_s) / 3, 1e-9);
  // One after the other, with the same ways over the coordinator between them.
  EXPECT_NEAR(3 / mixed.tokens_per_s, 2 / low.tokens_per_s + 1 / high.tokens_per_s, 1e-3);
  EXPECT_EQ(mixed.stages[0].activation_bytes, high.stages[0].activation_bytes);
}

// A first and a second step of a request load the stages differently, so that requests wait for each
// other though no resource is busy all the time.
TEST(Estimate, CountsTheWaitingOfPrefillsAndDecodesForEachOther) {
  const double tokens_per_s = many_requests(6, 300).tokens_per_s;
  EXPECT_LT(tokens_per_s, 0.95 * 2 / 2.79);
  EXPECT_GT(tokens_per_s, 0.7 * 2 / 2.79);
}

TEST(Estimate, PlaysAPartOfAVeryLongWorkload) {
  Workload workload = hand_workload();
  workload.in_flight = 4;
  workload.requests = 40;
  workload.max_tokens = 300;
  const double all = estimate(hand_plan(), hand_model(), hand_cluster(), workload).tokens_per_s;
  const double part =
      estimate(hand_plan(), hand_model(), hand_cluster(), workload, {2'000, 20}).tokens_per_s;
  EXPECT_NEAR(part / all, 1, 0.05);
  workload.requests = 1'000'000;
  workload.max_tokens = 1'000'000;
  EXPECT_GT(estimate(hand_plan(), hand_model(), hand_cluster(), workload).tokens_per_s, 0);
}

// A short decode beside a long prefill: played in groups, steps would be as long as prefills and others
// would not wait for them as they do. All requests are the oracle.
TEST(Estimate, OfAPartOfAWorkloadIsThatOfAllWithinTwoPercentOrSays) {
  int said = 0;
  for (int seed = 1; seed <= 40; ++seed) {
    const testing::Instance instance = testing::random_instance(seed, testing::Paths::kChain);
    Plan plan;
    const auto segments = static_cast<int>(instance.segmentation.segments.size());
    const int stages = std::min<int>(segments, static_cast<int>(instance.cluster.devices.size()));
    for (int s = 0; s < stages; ++s) {
      plan.stages.push_back({instance.cluster.devices[s].name,
                             s * segments / stages,
                             (s + 1) * segments / stages - 1,
                             {}});
    }
    plan.transfers = transfers_of(instance.segmentation, plan.stages);
    const Workload workload{.prompt_tokens = 60, .max_tokens = 40, .in_flight = 6, .requests = 150};
    const auto estimated = [&](const PlayLimits& limits) {
      return estimate(plan, instance.segmentation, instance.cluster, workload, limits);
    };
    const Estimate all = estimated({1e9, 150});
    const Estimate part = estimated({40.0 * stages * 40, 500});
    EXPECT_EQ(all.tokens_per_s_error, 0);
    const Estimate most = estimated({130.0 * stages * 40, 500});
    EXPECT_NEAR(most.tokens_per_s / all.tokens_per_s, 1, 0.02) << seed;
    for (const Estimate& some : {part, estimated({300.0 * stages, 500})}) {
      const double off = std::abs(some.tokens_per_s / all.tokens_per_s - 1);
      if (off > 0.02) {
        EXPECT_GT(some.tokens_per_s_error, 0.3 * off) << seed;
        ++said;
      }
    }
  }
  EXPECT_GT(said, 0);
}

// Many stages that hand over through one medium take turns just so: the medium a millionth faster or slower,
// which is the oracle, changes some workloads by a tenth. Others do not care.
TEST(Estimate, SaysWhereAFewBytesWouldChangeIt) {
  int on_an_edge = 0;
  int said = 0;
  int steady = 0;
  for (int seed = 1; seed <= 10; ++seed) {
    Rng rng(seed);
    testing::Instance instance = testing::alike_instance(24, 24, 1e12, rng);
    instance.workload = {.prompt_tokens = 32, .max_tokens = 8, .in_flight = 8, .requests = 32};
    instance.cluster.shared_bytes_per_s = rng.uniform(0.5e6, 4e6);
    Plan plan;
    for (int s = 0; s < 24; ++s) plan.stages.push_back({fmt::format("phone{}", s), s, s, {}});
    plan.transfers = transfers_of(instance.segmentation, plan.stages);
    const auto tokens_per_s = [&](double faster) {
      ClusterSpec cluster = instance.cluster;
      cluster.shared_bytes_per_s *= faster;
      return estimate(plan, instance.segmentation, cluster, instance.workload).tokens_per_s;
    };
    double spread = 0;
    for (int i = -3; i <= 3; ++i) {
      spread = std::max(spread, std::abs(tokens_per_s(1 + i * 1e-6) / tokens_per_s(1) - 1));
    }
    const Estimate stated =
        estimate_with_error(plan, instance.segmentation, instance.cluster, instance.workload);
    EXPECT_EQ(stated.tokens_per_s, tokens_per_s(1));
    if (spread > 0.02) {
      ++on_an_edge;
      said += stated.tokens_per_s_error > 0.5 * spread ? 1 : 0;
    }
    steady += stated.tokens_per_s_error < 0.005 ? 1 : 0;
  }
  EXPECT_GT(on_an_edge, 0);
  EXPECT_GE(said, on_an_edge * 0.7);
  EXPECT_GT(steady, 0);
}

TEST(Estimate, DoesNotPlayWhatTakesTooLong) {
  Workload workload = hand_workload();
  workload.in_flight = 4;
  workload.requests = 40;
  const auto rate = [&](double most_s) {
    PlayLimits limits;
    limits.most_s = most_s;
    return estimate(hand_plan(), hand_model(), hand_cluster(), workload, limits).tokens_per_s;
  };
  const double all = rate(std::numeric_limits<double>::infinity());
  const double per_request_s = 2 / all;
  EXPECT_EQ(rate(1.001 * per_request_s), all);
  EXPECT_EQ(rate(0.999 * per_request_s), 0);
  EXPECT_EQ(rate(0.5 * per_request_s), 0);
}

// Links a sixth slower, which no bound on a device's work sees.
TEST(Estimate, EndsAPlayThatFallsBehindTheOneToBeat) {
  Workload workload = hand_workload();
  workload.in_flight = 4;
  workload.requests = 40;
  ClusterSpec slow = hand_cluster();
  for (auto& [ends, link] : slow.links) link.bytes_per_s /= 1.2;
  Race race;
  PlayLimits limits;
  limits.race = &race;
  const auto play = [&](const ClusterSpec& cluster) {
    race.stage_steps = 0;
    return played_request_s(hand_plan(), hand_model(), cluster, workload, limits);
  };
  const Estimate all = estimate(hand_plan(), hand_model(), hand_cluster(), workload);
  EXPECT_DOUBLE_EQ(2 / play(hand_cluster()), all.tokens_per_s);
  EXPECT_EQ(race.stage_steps, 40 * 2 * 3);
  EXPECT_EQ(race.last.requests, 40);
  EXPECT_EQ(race.last.steps, 2U);
  EXPECT_DOUBLE_EQ(race.last.marks_s.back(), 40 * race.last.per_request_s);
  EXPECT_TRUE(std::is_sorted(race.last.marks_s.begin(), race.last.marks_s.end()));

  limits.most_s = race.last.per_request_s;
  race.to_beat = race.last;
  EXPECT_EQ(play(hand_cluster()), race.to_beat.per_request_s);
  EXPECT_EQ(play(slow), std::numeric_limits<double>::infinity());
  EXPECT_TRUE(race.last.marks_s.empty());
  const double behind = race.stage_steps;
  race.to_beat = {};
  EXPECT_EQ(play(slow), std::numeric_limits<double>::infinity());
  EXPECT_LT(behind, 0.5 * race.stage_steps);
}

TEST(Estimate, SplitsTimeAndMemoryByStage) {
  const Estimate hand = hand_estimate();
  ASSERT_EQ(hand.stages.size(), 3U);
  EXPECT_NEAR(hand.stages[0].compute_s, 2.2, 1e-9);
  EXPECT_NEAR(hand.stages[1].compute_s, 2.2, 1e-9);
  EXPECT_NEAR(hand.stages[2].compute_s, 1.1, 1e-9);
  EXPECT_NEAR(hand.stages[0].transfer_s, 11'080 / 1e6 + 0.02 + 5'580 / 2e3 + 0.06, 1e-9);
  EXPECT_NEAR(hand.stages[1].transfer_s, 1'180 / 1e5 + 0.04, 1e-9);
  EXPECT_NEAR(hand.stages[2].transfer_s, 52 / 1e6 + 0.08, 1e-9);
  EXPECT_EQ(hand.stages[2].weights_bytes, 32'000);
  EXPECT_EQ(hand.stages[2].state_bytes, 4'800);
  EXPECT_EQ(hand.stages[2].activation_bytes, 12'800);
  EXPECT_EQ(hand.stages[2].memory_bytes, 1e6);
}

TEST(Estimate, OfOneDeviceHasNoTransfers) {
  Plan plan = hand_plan();
  plan.stages = {{"A", 0, 2, {}}};
  plan.transfers.clear();
  const Estimate one = estimate(plan, hand_model(), hand_cluster(), hand_workload());
  EXPECT_NEAR(one.latency_s, 7e8 * 11 / 1e9, 1e-9);
  EXPECT_EQ(one.stages[0].transfer_s, 0);
  EXPECT_EQ(one.bottleneck, "A computing");
}

TEST(Estimate, OfASinglePassReturnsTheOutputsToTheHeader) {
  Workload workload = hand_workload();
  workload.max_tokens = 0;
  const Estimate pass = estimate(hand_plan(), hand_model(), hand_cluster(), workload);
  EXPECT_NEAR(pass.latency_s, 5.590026 + 412 / 1e6, 1e-9);
  EXPECT_EQ(pass.latency_s, pass.ttft_s);
  EXPECT_EQ(pass.tpot_s, 0);
}

TEST(Estimate, SlowsTransfersDownToTheSharedMedium) {
  ClusterSpec cluster = hand_cluster();
  cluster.shared_bytes_per_s = 5e4;
  EXPECT_EQ(link_alone(cluster, "B", "C").bytes_per_s, 5e4);
  EXPECT_EQ(link_alone(cluster, "A", "C").bytes_per_s, 2e3);
  EXPECT_EQ(link_alone(cluster, "B", "C").latency.count(), 0.02);
}

}  // namespace
}  // namespace lingua
