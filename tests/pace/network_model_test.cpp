// The network of paced runs is that of the simulated world.

#include "runtime/pace/network_model.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "runtime/base/random.h"
#include "tests/sim/lab.h"

namespace lingua::testing {
namespace {

struct Sent {
  double when_s;
  DeviceName from;
  DeviceName to;
  std::int64_t bytes;
};

// By pair, in order.
using Arrivals = std::map<std::pair<DeviceName, DeviceName>, std::vector<double>>;

Arrivals simulated(const ClusterSpec& cluster, const std::vector<Sent>& sent,
                   const SupplyTrace& supply) {
  Arrivals arrivals;
  SimCluster simulation(cluster, shape_options());
  simulation.follow(supply);
  std::vector<DeviceName> names = {kCoordinator};
  for (const DeviceSpec& device : cluster.devices) names.push_back(device.name);
  for (const DeviceName& name : names) {
    simulation.start(name, [&, name](Device& device) {
      std::size_t expected = 0;
      for (const Sent& message : sent) expected += message.to == name;
      const auto note = [&](const std::optional<Message>& message) {
        if (!message) return;
        arrivals[{message->from, name}].push_back(message->arrived.count());
        --expected;
      };
      for (const Sent& message : sent) {
        if (message.from != name) continue;
        while (device.now() < Seconds(message.when_s))
          note(device.receive(Seconds(message.when_s)));
        device.send(message.to, payload(message.bytes));
      }
      while (expected > 0) note(device.receive(kNever));
    });
  }
  simulation.run();
  return arrivals;
}

// Looked at now and then.
Arrivals modelled(const ClusterSpec& cluster, const std::vector<Sent>& sent,
                  const SupplyTrace& supply, double look_every_s) {
  Arrivals arrivals;
  NetworkModel model(cluster);
  for (const auto& [device, points] : supply.devices()) {
    for (const SupplyPoint& point : points)
      model.set_bandwidth_at(point.from.count(), device, point.state.bandwidth);
  }
  const auto pass = [&](double until_s) {
    for (const auto& arrival : model.advance(until_s))
      arrivals[{arrival.from, arrival.to}].push_back(arrival.when_s);
  };
  double looked_s = 0;
  for (const Sent& message : sent) {
    while (looked_s + look_every_s < message.when_s) pass(looked_s += look_every_s);
    model.send(message.from, message.to, static_cast<double>(message.bytes), message.when_s);
  }
  pass(1e9);
  return arrivals;
}

ClusterSpec uneven_cluster() {
  ClusterSpec cluster = small_cluster(4);
  cluster.links[{"a", "b"}] = {3e6, Seconds(0.05)};
  cluster.links[{"c", "a"}] = {2e5, Seconds(0.001)};
  cluster.links[{kCoordinator, "d"}] = {5e6, Seconds(0)};
  cluster.shared_bytes_per_s = 2.5e6;
  return cluster;
}

std::vector<Sent> drawn_messages(std::uint64_t seed) {
  Rng rng(seed);
  const std::vector<DeviceName> names = {kCoordinator, "a", "b", "c", "d"};
  std::vector<Sent> sent;
  double when_s = 0;
  for (int i = 0; i < 300; ++i) {
    if (rng.below(3) > 0) when_s += rng.uniform(0, 0.08);  // else at once
    const std::size_t from = rng.below(5);
    const std::size_t to = (from + 1 + rng.below(4)) % 5;
    const auto bytes = static_cast<std::int64_t>(rng.below(4) > 0 ? 100 + rng.below(20'000)
                                                                  : 100 + rng.below(400'000));
    sent.push_back({when_s, names[from], names[to], bytes});
  }
  return sent;
}

// Bandwidths that change all the time, at a moment of its own or at once.
SupplyTrace drawn_supply(std::uint64_t seed) {
  Rng rng(seed + 100);
  SupplyTrace supply;
  double when_s = 0;
  for (int i = 0; i < 60; ++i) {
    if (rng.below(3) > 0) when_s += rng.uniform(0, 0.5);
    supply.add(std::string(1, static_cast<char>('a' + rng.below(4))), Seconds(when_s),
               {.bandwidth = rng.uniform(0.1, 2)});
  }
  return supply;
}

class SameAsSimulated : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  void compare(const SupplyTrace& supply, double tolerance_s) const;
};

void SameAsSimulated::compare(const SupplyTrace& supply, double tolerance_s) const {
  const std::vector<Sent> sent = drawn_messages(GetParam());
  const Arrivals expected = simulated(uneven_cluster(), sent, supply);
  for (const double look_every_s : {0.001, 10.0}) {
    const Arrivals got = modelled(uneven_cluster(), sent, supply, look_every_s);
    ASSERT_EQ(got.size(), expected.size());
    for (const auto& [pair, times] : expected) {
      const auto found = got.find(pair);
      ASSERT_NE(found, got.end());
      ASSERT_EQ(found->second.size(), times.size());
      for (std::size_t i = 0; i < times.size(); ++i) {
        ASSERT_NEAR(found->second[i], times[i], tolerance_s)
            << pair.first << " to " << pair.second << ", message " << i;
      }
    }
  }
}

TEST_P(SameAsSimulated, EveryMessageArrivesWhenItDoesInTheSimulatedWorld) { compare({}, 1e-6); }

// SimGrid's transfers have whole bytes: each change moves those under way by half a one at most, which takes
// 25 us on the slowest link here.
TEST_P(SameAsSimulated, AndWhereBandwidthsChangeMeanwhile) {
  compare(drawn_supply(GetParam()), 1e-3);
}

INSTANTIATE_TEST_SUITE_P(Seeds, SameAsSimulated, ::testing::Values(1, 2, 3, 4, 5));

TEST(NetworkModel, SaysWhenSomethingChangesNextAndWhatIsUnderWay) {
  NetworkModel model(small_cluster(2));  // 1 MB/s, 10 ms
  EXPECT_GT(model.next_s(), 1e300);
  model.send("a", "b", 1e6, 5);
  EXPECT_DOUBLE_EQ(model.next_s(), 5.01) << "its latency is over";
  EXPECT_TRUE(model.advance(5.5).empty());
  EXPECT_DOUBLE_EQ(model.next_s(), 6.01) << "it is there";
  EXPECT_EQ(model.under_way("a", "b"), 1U);
  EXPECT_EQ(model.under_way("b", "a"), 0U);
  EXPECT_EQ(model.advance(7).size(), 1U);
  EXPECT_EQ(model.under_way("a", "b"), 0U);
  EXPECT_GT(model.next_s(), 1e300);
}

TEST(NetworkModel, SaysWhenABandwidthChangesWhileAMessageIsUnderWay) {
  NetworkModel model(small_cluster(2));  // 1 MB/s, 10 ms
  model.set_bandwidth_at(5.51, "b", 2);
  model.set_bandwidth_at(5.26, "a", 0.5);
  EXPECT_GT(model.next_s(), 1e300) << "nothing is under way";
  model.send("a", "b", 1e6, 5);
  EXPECT_TRUE(model.advance(5.1).empty());
  EXPECT_DOUBLE_EQ(model.next_s(), 5.26);
  EXPECT_TRUE(model.advance(6).empty());
  EXPECT_DOUBLE_EQ(model.next_s(), 6.76) << "a quarter at full speed, three at half";
  EXPECT_DOUBLE_EQ(model.advance(7).at(0).when_s, 6.76);
}

TEST(NetworkModel, OfAMessageThatIsHeardOfLateTheLatencyCountsFromWhenItWasSent) {
  NetworkModel model(small_cluster(2));
  model.advance(5.004);
  model.send("a", "b", 1e6, 5);
  EXPECT_DOUBLE_EQ(model.advance(10).at(0).when_s, 6.01);
  model.send("a", "b", 1e6, 5);
  EXPECT_DOUBLE_EQ(model.advance(20).at(0).when_s, 11) << "no sooner than it was heard of";
}

}  // namespace
}  // namespace lingua::testing
