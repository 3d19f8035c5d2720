// Layouts by hand. That a simulation lays out the same is what tests/sim/network_test.cpp times.

#include "runtime/device/network_layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/errors.h"
#include "runtime/base/random.h"

namespace lingua {

void PrintTo(const NetworkPart& part, std::ostream* out) {
  *out << part.name << " at " << part.bytes_per_s;
}

namespace {

using ::testing::UnorderedElementsAre;
using ::testing::UnorderedElementsAreArray;

using Parts = std::vector<NetworkPart>;

ClusterSpec three() {
  ClusterSpec cluster;
  cluster.default_link = {100, Seconds(1)};
  for (const char* name : {"a", "b", "c"}) cluster.devices.emplace_back().name = name;
  return cluster;
}

TEST(NetworkLayout, OfLikeLinksIsTheTwoRadios) {
  const ClusterSpec cluster = three();
  const NetworkLayout layout(cluster);
  EXPECT_THAT(layout.path("a", "b"),
              UnorderedElementsAre(NetworkPart{"up a", 100}, NetworkPart{"down b", 100}));
  EXPECT_THAT(layout.path("b", "a"),
              UnorderedElementsAre(NetworkPart{"up b", 100}, NetworkPart{"down a", 100}));
  EXPECT_THAT(layout.path("c", kCoordinator),
              UnorderedElementsAre(NetworkPart{"up c", 100}, NetworkPart{"down coordinator", 100}));
}

TEST(NetworkLayout, PutsTheMediumOnEveryPath) {
  ClusterSpec cluster = three();
  cluster.shared_bytes_per_s = 70;
  cluster.links[{"a", "b"}] = {30, Seconds(0)};
  const NetworkLayout layout(cluster);
  for (const auto& [from, to] : {std::pair{"a", "b"}, std::pair{"a", "c"}, std::pair{"c", "a"}}) {
    EXPECT_THAT(layout.path(from, to), ::testing::Contains(NetworkPart{"medium", 70}));
  }
}

// At 100 and then at 25 bytes a second.
TEST(NetworkLayout, TakesWhatGoesToARelayedDeviceThroughTheCoordinatorsRadio) {
  ClusterSpec cluster = three();
  cluster.devices[0].relayed = true;
  cluster.links[{kCoordinator, "a"}] = {25, Seconds(3)};
  cluster.links[{"c", "a"}] = {50, Seconds(5)};
  lay_relayed_links(&cluster);
  EXPECT_DOUBLE_EQ(cluster.link("b", "a").bytes_per_s, 20);
  EXPECT_EQ(cluster.link("b", "a").latency, Seconds(4));
  EXPECT_EQ(cluster.link("c", "a").latency, Seconds(5)) << "it has its own";
  EXPECT_EQ(cluster.link("a", "b").latency, Seconds(1)) << "it can connect to others";
  const NetworkLayout layout(cluster);
  EXPECT_THAT(layout.path("b", "a"),
              UnorderedElementsAre(NetworkPart{"up b", 100}, NetworkPart{"down coordinator", 100},
                                   NetworkPart{"up coordinator", 100}, NetworkPart{"down a", 100},
                                   NetworkPart{"b to a", 20}));
  EXPECT_THAT(layout.path("a", "b"),
              UnorderedElementsAre(NetworkPart{"up a", 100}, NetworkPart{"down b", 100}));
  EXPECT_EQ(layout.path(kCoordinator, "a").size(), 3U) << "it is at the coordinator already";
  const auto links = cluster.links;
  lay_relayed_links(&cluster);
  EXPECT_EQ(cluster.links.size(), links.size()) << "once is enough";
  cluster = three();
  cluster.devices[0].relayed = true;
  cluster.shared_bytes_per_s = 50;
  lay_relayed_links(&cluster);
  EXPECT_DOUBLE_EQ(cluster.link("b", "a").bytes_per_s, 25) << "each hop takes the medium";
}

TEST(NetworkLayout, OfAClusterFileHasTheLinksThroughTheCoordinator) {
  const ClusterSpec spec = parse_cluster(
      "name: pair\ndevices:\n"
      "  - {name: a, threads: 3, cpus: '7,4-5', relayed: true, compute: 1 GFLOP/s, "
      "memory_bandwidth: 1 GB/s, "
      "memory: 1 GB}\n"
      "  - {name: b, relayed: false, compute: 1 GFLOP/s, memory_bandwidth: 1 GB/s, memory: 1 GB}\n"
      "links: {default: {bandwidth: 4 MB/s, latency: 3 ms}}\n",
      "x.yaml");
  EXPECT_EQ(spec.device("a").computing, (Computing{3, {4, 5, 7}}));
  EXPECT_TRUE(spec.device("a").relayed);
  EXPECT_FALSE(spec.device("b").relayed);
  EXPECT_DOUBLE_EQ(spec.link("b", "a").bytes_per_s, 2e6);
  EXPECT_DOUBLE_EQ(spec.link("b", "a").latency.count(), 6e-3);
  EXPECT_DOUBLE_EQ(spec.link("a", "b").bytes_per_s, 4e6);
  EXPECT_DOUBLE_EQ(spec.link(kCoordinator, "a").bytes_per_s, 4e6);
}

TEST(NetworkLayout, MakesARadioAsFastAsItsFastestLinkAndKeepsTheRestAtTheDefault) {
  ClusterSpec cluster = three();
  cluster.links[{"a", "b"}] = {1000, Seconds(0)};
  const NetworkLayout layout(cluster);
  EXPECT_THAT(layout.path("a", "b"),
              UnorderedElementsAre(NetworkPart{"up a", 1000}, NetworkPart{"a to b", 1000},
                                   NetworkPart{"down b", 1000}));
  EXPECT_THAT(layout.path("a", "c"),
              UnorderedElementsAre(NetworkPart{"up a", 1000}, NetworkPart{"up by default a", 100},
                                   NetworkPart{"down c", 100}));
  EXPECT_THAT(layout.path("c", "b"),
              UnorderedElementsAre(NetworkPart{"up c", 100}, NetworkPart{"down b", 1000},
                                   NetworkPart{"down by default b", 100}));
  // Links have a direction.
  EXPECT_THAT(layout.path("b", "a"),
              UnorderedElementsAre(NetworkPart{"up b", 100}, NetworkPart{"down a", 100}));
}

TEST(NetworkLayout, LetsASlowLinkBindItsPairAlone) {
  ClusterSpec cluster = three();
  cluster.links[{"a", "b"}] = {10, Seconds(0)};
  const NetworkLayout layout(cluster);
  EXPECT_THAT(layout.path("a", "b"),
              UnorderedElementsAre(NetworkPart{"up a", 100}, NetworkPart{"a to b", 10},
                                   NetworkPart{"down b", 100}));
  EXPECT_THAT(layout.path("a", "c"),
              UnorderedElementsAre(NetworkPart{"up a", 100}, NetworkPart{"down c", 100}));
}

TEST(NetworkLayout, ChangesWithTheBandwidthOfADeviceButForTheMedium) {
  ClusterSpec cluster = three();
  cluster.links[{"a", "b"}] = {1000, Seconds(0)};
  cluster.shared_bytes_per_s = 70;
  NetworkLayout layout(cluster);
  layout.set_bandwidth("a", 0.5);
  layout.set_bandwidth("b", 0.25);
  EXPECT_THAT(layout.path("a", "b"),
              UnorderedElementsAre(NetworkPart{"up a", 500}, NetworkPart{"a to b", 250},
                                   NetworkPart{"down b", 250}, NetworkPart{"medium", 70}));
  EXPECT_THAT(layout.path("a", "c"),
              UnorderedElementsAre(NetworkPart{"up a", 500}, NetworkPart{"up by default a", 50},
                                   NetworkPart{"down c", 100}, NetworkPart{"medium", 70}));
  layout.set_bandwidth("a", 1);
  EXPECT_THAT(layout.leaving("a"),
              UnorderedElementsAre(NetworkPart{"up a", 1000}, NetworkPart{"up by default a", 100},
                                   NetworkPart{"medium", 70}));
}

TEST(NetworkLayout, RefusesAPathWithoutBandwidth) {
  ClusterSpec cluster = three();
  cluster.default_link = {};
  cluster.links[{"a", "b"}] = {10, Seconds(0)};
  const NetworkLayout layout(cluster);
  EXPECT_THAT(layout.path("a", "b"),
              UnorderedElementsAre(NetworkPart{"up a", 10}, NetworkPart{"a to b", 10},
                                   NetworkPart{"down b", 10}));
  EXPECT_THAT(layout.leaving("a"), UnorderedElementsAre(NetworkPart{"up a", 10}));
  EXPECT_THROW(layout.path("b", "a"), BugError);
}

// On random clusters: halves make paths, and a transfer that is alone is as fast as the cluster says.
TEST(NetworkLayout, IsWhatTheClusterSaysForATransferThatIsAlone) {
  int by_default = 0;
  for (int seed = 1; seed <= 50; ++seed) {
    Rng rng(seed);
    ClusterSpec cluster = three();
    cluster.default_link.bytes_per_s = rng.uniform(10, 100);
    if (rng.below(2) == 0) cluster.shared_bytes_per_s = rng.uniform(10, 100);
    const std::vector<DeviceName> names = {"a", "b", "c", kCoordinator};
    for (const DeviceName& from : names) {
      for (const DeviceName& to : names) {
        if (from != to && rng.below(3) == 0)
          cluster.links[{from, to}] = {rng.uniform(10, 200), Seconds(0)};
      }
    }
    const NetworkLayout layout(cluster);
    for (const DeviceName& from : names) {
      for (const DeviceName& to : names) {
        if (from == to) continue;
        const Parts path = layout.path(from, to);
        double slowest = cluster.link(from, to).bytes_per_s;
        if (cluster.shared_bytes_per_s > 0) slowest = std::min(slowest, cluster.shared_bytes_per_s);
        double alone = path.front().bytes_per_s;
        for (const NetworkPart& part : path) alone = std::min(alone, part.bytes_per_s);
        EXPECT_EQ(alone, slowest) << from << " to " << to << ", seed " << seed;
        if (cluster.links.contains({from, to})) continue;
        ++by_default;
        Parts halves = layout.leaving(from);
        for (const NetworkPart& part : layout.arriving(to)) halves.push_back(part);
        EXPECT_THAT(path, UnorderedElementsAreArray(halves));
      }
    }
  }
  EXPECT_GT(by_default, 200);
}

}  // namespace
}  // namespace lingua
