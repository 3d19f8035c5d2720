#include "runtime/plan/weight_sources.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "runtime/base/random.h"

namespace lingua {
namespace {

ClusterSpec phones(int count, double bytes_per_s) {
  ClusterSpec cluster;
  for (int i = 0; i < count; ++i) {
    DeviceSpec device;
    device.name = std::string(1, static_cast<char>('a' + i));
    cluster.devices.push_back(device);
  }
  cluster.default_link = {bytes_per_s, Seconds(0)};
  return cluster;
}

using Names = std::vector<DeviceName>;

TEST(WeightSources, TheCoordinatorSendsWhereOthersWouldBeNoSooner) {
  const ClusterSpec cluster = phones(2, 100);  // b's own radio takes 100 B/s, whoever sends
  EXPECT_EQ(weight_sources({{"b", 500, {"a"}}, {"b", 400, {"a"}}}, {&cluster}),
            (Names{kCoordinator, kCoordinator}));
  EXPECT_TRUE(weight_sources({}, {&cluster}).empty());
  EXPECT_EQ(weights_sending_s({}, {}, {&cluster}), 0);
}

// The coordinator would take 10 s for the two; with a it takes 5 s.
TEST(WeightSources, TwoThatLackWeightsGetThemFromTwo) {
  const ClusterSpec cluster = phones(3, 100);
  const std::vector<WeightNeed> needs = {{"b", 500, {"a"}}, {"c", 500, {"a"}}};
  const Names sources = weight_sources(needs, {&cluster});
  EXPECT_EQ(std::count(sources.begin(), sources.end(), kCoordinator), 1);
  EXPECT_EQ(weights_sending_s(needs, sources, {&cluster}), 5);
  EXPECT_EQ(weights_sending_s(needs, {kCoordinator, kCoordinator}, {&cluster}), 10);
}

TEST(WeightSources, ASlowLinkOfTheCoordinatorIsGoneRound) {
  ClusterSpec cluster = phones(2, 100);
  cluster.links[{kCoordinator, "b"}] = {10, Seconds(0.5)};
  const std::vector<WeightNeed> needs = {{"b", 500, {"a"}}};
  EXPECT_EQ(weight_sources(needs, {&cluster}), Names{"a"});
  EXPECT_EQ(weight_sources(needs, {&cluster, 0, {{"b", "a"}}}), Names{kCoordinator}) << "it is cut";
  EXPECT_EQ(weights_sending_s(needs, {kCoordinator}, {&cluster}), 50.5);
}

// 1000 bytes at 50 B/s from one sender, 500 from each of two.
TEST(WeightSources, ABoundOfEachSenderIsSharedOut) {
  const ClusterSpec cluster = phones(2, 1000);
  const std::vector<WeightNeed> needs = {{"b", 500, {"a"}}, {"b", 500, {"a"}}};
  const WeightWays bounded{&cluster, 50};
  EXPECT_EQ(weights_sending_s(needs, weight_sources(needs, bounded), bounded), 10);
  EXPECT_EQ(weights_sending_s(needs, {kCoordinator, kCoordinator}, bounded), 20);
}

TEST(WeightSources, ASharedMediumCarriesAllOfIt) {
  ClusterSpec cluster = phones(3, 100);
  cluster.shared_bytes_per_s = 50;
  const std::vector<WeightNeed> needs = {{"b", 500, {"a"}}, {"c", 500, {"a"}}};
  EXPECT_EQ(weights_sending_s(needs, weight_sources(needs, {&cluster}), {&cluster}), 20);
}

double best_of_all(const std::vector<WeightNeed>& needs, const WeightWays& ways) {
  double best_s = 1e30;
  Names sources(needs.size());
  const auto choose = [&](const auto& self, std::size_t i) -> void {
    if (i == needs.size()) {
      best_s = std::min(best_s, weights_sending_s(needs, sources, ways));
      return;
    }
    sources[i] = kCoordinator;
    self(self, i + 1);
    for (const DeviceName& holder : needs[i].held_by) {
      sources[i] = holder;
      self(self, i + 1);
    }
  };
  choose(choose, 0);
  return best_s;
}

// Against every choice there is.
TEST(WeightSources, IsNearTheBestOfAllChoices) {
  Rng rng(5);
  int best = 0;
  constexpr int kCases = 300;
  for (int round = 0; round < kCases; ++round) {
    ClusterSpec cluster = phones(4, rng.uniform(50, 100));
    for (const DeviceName& from : {kCoordinator, DeviceName("a"), DeviceName("b")}) {
      for (const char* to : {"c", "d"}) {
        if (rng.below(2) == 0) cluster.links[{from, to}] = {rng.uniform(10, 200), Seconds(0)};
      }
    }
    if (rng.below(4) == 0) cluster.shared_bytes_per_s = rng.uniform(50, 200);
    const WeightWays ways{&cluster, rng.below(3) == 0 ? rng.uniform(20, 100) : 0};
    std::vector<WeightNeed> needs;
    for (int i = 0; i < 7; ++i) {
      WeightNeed need{rng.below(2) == 0 ? "c" : "d", rng.uniform(1, 100), {}};
      for (const char* holder : {"a", "b"}) {
        if (rng.below(3) > 0) need.held_by.emplace_back(holder);
      }
      needs.push_back(need);
    }
    const double s = weights_sending_s(needs, weight_sources(needs, ways), ways);
    const double best_s = best_of_all(needs, ways);
    ASSERT_LE(s, 1.2 * best_s) << round;
    if (s <= best_s * 1.02) ++best;
  }
  EXPECT_GE(best, kCases * 9 / 10);
}

TEST(WeightSources, AThousandWeightsOfAnAlikeModelAreSharedEvenly) {
  const ClusterSpec cluster = phones(8, 100);
  std::vector<WeightNeed> needs;
  for (int i = 0; i < 1000; ++i)
    needs.push_back({std::string(1, static_cast<char>('e' + i % 4)), 1, {"a", "b", "c"}});
  // 250 to each, and 250 from each.
  EXPECT_NEAR(weights_sending_s(needs, weight_sources(needs, {&cluster}), {&cluster}), 2.5, 0.03);
}

}  // namespace
}  // namespace lingua
