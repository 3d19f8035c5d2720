#include "runtime/balance/spares.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "runtime/base/errors.h"
#include "tests/balance/lossy_cluster.h"

namespace lingua {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::LossyCluster;
using Costs = std::vector<double>;

constexpr int kMostlyBest = 28;
constexpr double kLink = 2e6;  // bytes per second from the coordinator

Plan with_spares(const LossyCluster& at, Plan plan, const SparesPlan& spares) {
  apply_spares(spares, at.request, &plan);
  check_plan(plan, at.instance.segmentation, at.instance.cluster, at.instance.workload);
  return plan;
}

Costs worst_first(const std::vector<LossOutcome>& losses) {
  Costs costs;
  for (const LossOutcome& loss : losses) costs.push_back(loss.total_s);
  std::sort(costs.rbegin(), costs.rend());
  return costs;
}

// What the losses of a plan's devices cost, the worst first.
Costs costs_of(const LossyCluster& at, const Plan& plan) {
  Costs costs;
  for (const Stage& stage : plan.stages)
    costs.push_back(choose_recovery(at.loss(stage.device, held_by(plan))).total_s());
  std::sort(costs.rbegin(), costs.rend());
  return costs;
}

// By trying each storage that check_plan lets pass.
Costs best_of_all_storages(const LossyCluster& at, const Plan& plan) {
  std::vector<std::pair<std::size_t, SegmentId>> choices;
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    for (SegmentId id = 0; id < plan.segmentation.segments; ++id) {
      if (plan.device_of(id) != plan.stages[s].device) choices.emplace_back(s, id);
    }
  }
  Costs best;
  for (unsigned bits = 0; bits < 1U << choices.size(); ++bits) {
    Plan tried = plan;
    for (std::size_t c = 0; c < choices.size(); ++c) {
      if ((bits >> c & 1U) != 0)
        tried.stages[choices[c].first].stored_segments.push_back(choices[c].second);
    }
    try {
      check_plan(tried, at.instance.segmentation, at.instance.cluster, at.instance.workload);
    } catch (const InputError&) {  // too little memory
      continue;
    }
    const Costs costs = costs_of(at, tried);
    if (best.empty() || costs < best) best = costs;
  }
  return best;
}

struct Tight : LossyCluster {
  explicit Tight(int seed) : LossyCluster(static_cast<std::uint64_t>(seed), 4, 3, 0.75, kLink) {
    instance.workload.requests = 1;
    request = instance.request(Objective::kLatency);
  }
};

class Spares : public ::testing::TestWithParam<int> {};

TEST_P(Spares, OfASmallClusterAreTheBestOfAllStorages) {
  const Tight at(GetParam());
  const Plan plan = at.even_plan();
  const Costs expected = best_of_all_storages(at, plan);
  const SparesPlan spares = plan_spares("dp", plan, at.request, {});
  EXPECT_TRUE(spares.best);
  const Costs found = worst_first(spares.with);
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i)
    EXPECT_NEAR(found[i], expected[i], 1e-6 * expected[i]) << "loss " << i;
  EXPECT_EQ(costs_of(at, with_spares(at, plan, spares)), found)
      << "what is stored is what is judged";
}

TEST_P(Spares, WithRoomForAllNoLossOfADeviceSendsWeights) {
  const LossyCluster at(static_cast<std::uint64_t>(GetParam()), 6, 4, 3, kLink);
  const Plan plan = at.even_plan();
  const SparesPlan spares = plan_spares("dp", plan, at.request, {});
  EXPECT_TRUE(spares.best);
  EXPECT_THAT(spares.lacking, IsEmpty());
  ASSERT_EQ(spares.with.size(), plan.stages.size());
  for (const LossOutcome& loss : spares.with) EXPECT_EQ(loss.weights_bytes, 0);
  for (const LossOutcome& loss : spares.without) EXPECT_GT(loss.weights_bytes, 0);
  const Plan stored = with_spares(at, plan, spares);
  for (SegmentId id = 0; id < 6; ++id) {
    int holders = 0;
    for (const auto& [device, ids] : held_by(stored)) holders += ids.contains(id) ? 1 : 0;
    EXPECT_GE(holders, 2) << id;
  }
}

TEST_P(Spares, ForTwoLossesNoLossOfTwoSendsWeights) {
  const LossyCluster at(static_cast<std::uint64_t>(GetParam()), 6, 4, 3, kLink);
  const Plan plan = at.even_plan();
  const SparesPlan spares = plan_spares("dp", plan, at.request, {.copies = 2});
  EXPECT_THAT(spares.lacking, IsEmpty());
  EXPECT_EQ(spares.several.size(), 6U);
  const Held held = held_by(with_spares(at, plan, spares));
  for (const LossOutcome& loss : spares.several) {
    EXPECT_EQ(loss.weights_bytes, 0);
    LossSnapshot snapshot = at.loss(loss.lost[0], held);
    snapshot.left.lost.insert(loss.lost[1]);
    EXPECT_EQ(choose_recovery(snapshot).weights_bytes, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Spares, ::testing::Range(1, 11));

// Where not all storages are tried, in so little memory that segments of a model of four fit nowhere else.
TEST(SparesInLittleMemory, AreMostlyTheBestWithoutTryingAll) {
  constexpr int kSeeds = 30;
  int best = 0;
  for (int seed = 1; seed <= kSeeds; ++seed) {
    const Tight at(seed);
    const Plan plan = at.even_plan();
    const SparesPlan spares = plan_spares("dp", plan, at.request, {.exact_bits = 0});
    with_spares(at, plan, spares);
    const double worst = worst_first(spares.with).front();
    const double least = best_of_all_storages(at, plan).front();
    EXPECT_GE(worst, least * (1 - 1e-6)) << "nothing is better than the best";
    EXPECT_LE(worst, worst_first(spares.without).front() * (1 + 1e-6));
    EXPECT_LE(worst, 3 * least) << seed;
    if (worst <= least * (1 + 1e-6)) ++best;
  }
  EXPECT_GE(best, kMostlyBest) << "of " << kSeeds;
}

TEST(SparesOfOneDevice, AreOnOnesThatRunNothing) {
  const LossyCluster at(1, 4, 3, 2, kLink);
  PlanRequest alone = at.request;
  alone.rules.excluded = {"phone1", "phone2"};
  const Plan plan = make_plan("dp", alone);
  const SparesPlan spares = plan_spares("dp", plan, at.request, {});
  const Plan stored = with_spares(at, plan, spares);
  EXPECT_EQ(stored.stages.size(), 1U);
  EXPECT_FALSE(stored.keepers.empty());
  ASSERT_EQ(spares.with.size(), 1U);
  EXPECT_THAT(spares.with[0].lost, ElementsAre("phone0"));
  EXPECT_EQ(spares.with[0].weights_bytes, 0);
  EXPECT_THAT(stored.devices(), ::testing::Contains(stored.keepers[0].device));
}

TEST(SparesOfOneDevice, ExcludedDevicesStoreNothing) {
  const LossyCluster at(1, 4, 3, 2, kLink);
  PlanRequest alone = at.request;
  alone.rules.excluded = {"phone1", "phone2"};
  const Plan plan = make_plan("dp", alone);
  const SparesPlan spares = plan_spares("dp", plan, alone, {});
  EXPECT_THAT(with_spares(at, plan, spares).keepers, IsEmpty());
  EXPECT_THAT(spares.lacking, ElementsAre(0, 1, 2, 3));
  EXPECT_FALSE(spares.with[0].survives);
}

TEST(SparesInLittleMemory, SayWhichSegmentsLackThem) {
  LossyCluster at(2, 6, 3, 2, kLink);
  const Plan plan = at.even_plan();
  for (const StageEstimate& row : plan.estimate.stages) {
    DeviceSpec& device =
        at.instance.cluster
            .devices[static_cast<std::size_t>(at.instance.cluster.index_of(row.device))];
    device.memory_bytes = row.weights_bytes + row.state_bytes + row.activation_bytes;
  }
  const SparesPlan spares = plan_spares("dp", plan, at.request, {});
  EXPECT_EQ(spares.stored_bytes, 0);
  EXPECT_THAT(spares.lacking, ElementsAre(0, 1, 2, 3, 4, 5));
  for (const LossOutcome& loss : spares.with) EXPECT_FALSE(loss.survives);
  EXPECT_THROW(plan_spares("dp", plan, at.request, {.copies = 0}), UsageError);
}

}  // namespace
}  // namespace lingua
