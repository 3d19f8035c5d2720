// What a simulated cluster makes of a supply: times by hand.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/errors.h"
#include "runtime/base/random.h"
#include "tests/sim/lab.h"

namespace lingua::testing {
namespace {

constexpr double kRelative = 1e-9;

// One message of `bytes` for each sender at time 0, to c: when they arrive.
std::map<DeviceName, double> arrivals_at_c(SimCluster& simulation, std::int64_t bytes,
                                           const std::vector<DeviceName>& senders) {
  std::map<DeviceName, double> times;
  for (const DeviceName& sender : senders) {
    simulation.start(sender, [bytes](Device& device) { device.send("c", payload(bytes)); });
  }
  simulation.start("c", [&](Device& device) {
    while (times.size() < senders.size()) {
      const auto message = device.receive(kNever);
      times[message->from] = message->arrived.count();
    }
  });
  simulation.run();
  return times;
}

TEST(SimSupply, SpeedChangesWhatIsUnderWay) {
  SupplyTrace supply;
  supply.add("a", Seconds(4), {.speed = 0.5});
  supply.add("a", Seconds(8), {.speed = 0.125});
  supply.add("a", Seconds(16), {.speed = 2});
  SimCluster simulation(small_cluster(2), shape_options());
  simulation.follow(supply);
  simulation.start("a", [&](Device& device) {
    compute(device, 10);  // 4 + 4 x 0.5 + 8 x 0.125 done at 16 s, the other 3 twice as fast
    EXPECT_NEAR(device.now().count(), 17.5, 17.5 * kRelative);
    compute(device, 1);
    EXPECT_NEAR(device.now().count(), 18, 18 * kRelative);
  });
  simulation.start("b", [](Device& device) {
    compute(device, 10);
    EXPECT_NEAR(device.now().count(), 10, 1e-8);
  });
  simulation.run();
}

TEST(SimSupply, StandsBesideThrottling) {
  SupplyTrace supply;
  supply.add("a", Seconds(2), {.speed = 0.5});
  supply.add("a", Seconds(6), {.speed = 1});
  SimCluster simulation(small_cluster(1), shape_options());
  simulation.throttle_at(Seconds(4), "a", 0.5);
  simulation.follow(supply);
  simulation.start("a", [](Device& device) {
    compute(device, 5);  // 2 + 2 x 0.5 + 2 x 0.25 done at 6 s, 1.5 at half the speed
    EXPECT_NEAR(device.now().count(), 9, 1e-8);
  });
  simulation.run();
}

TEST(SimSupply, WorkTakesAsLongAsEndOfWorkSays) {
  SupplyTrace supply;
  Rng rng(5);
  for (double at_s = 0; at_s < 60; at_s += rng.uniform(0, 3))
    supply.add("a", Seconds(at_s), {.speed = rng.uniform(0.1, 2)});
  SimCluster simulation(small_cluster(1), shape_options());
  simulation.follow(supply);
  simulation.start("a", [&](Device& device) {
    Rng draws(6);
    for (int i = 0; i < 40; ++i) {
      const double work_s = draws.uniform(0.001, 3);
      const Seconds expected = end_of_work(supply, "a", device.now(), Seconds(work_s));
      compute(device, work_s);
      ASSERT_NEAR(device.now().count(), expected.count(), 1e-7);
    }
  });
  simulation.run();
}

TEST(SimSupply, BandwidthChangesATransferThatIsUnderWay) {
  SupplyTrace supply;
  supply.add("a", Seconds(0.51), {.bandwidth = 0.25});
  supply.add("a", Seconds(2.51), {.bandwidth = 0.5});
  SimCluster simulation(small_cluster(3), shape_options());
  simulation.follow(supply);
  // 0.5 MB by 0.51 s, 0.5 MB in the next 2 s, 1 MB in 2 s more.
  EXPECT_NEAR(arrivals_at_c(simulation, 2'000'000, {"a"}).at("a"), 4.51, 4.51 * kRelative);
}

TEST(SimSupply, ATransferMayGoFasterThanItBegan) {
  SupplyTrace supply;
  for (const char* device : {"a", "c"}) supply.add(device, Seconds(0.51), {.bandwidth = 2});
  SimCluster simulation(small_cluster(3), shape_options());
  simulation.follow(supply);
  // 0.5 MB by 0.51 s, 1.5 MB twice as fast.
  EXPECT_NEAR(arrivals_at_c(simulation, 2'000'000, {"a"}).at("a"), 1.26, 1.26 * kRelative);
}

TEST(SimSupply, OfTwoEndsTheSlowerOneCountsAndOthersGetWhatItLeaves) {
  SupplyTrace supply;
  supply.add("a", Seconds(0.01), {.bandwidth = 0.2});
  supply.add("c", Seconds(0.01), {.bandwidth = 0.8});
  SimCluster simulation(small_cluster(3), shape_options());
  simulation.follow(supply);
  // c takes 0.8 MB/s: 0.2 from a and 0.6 from b, whose own link could do 1.
  const auto times = arrivals_at_c(simulation, 600'000, {"a", "b"});
  EXPECT_NEAR(times.at("b"), 1.01, 1.01 * kRelative);
  EXPECT_NEAR(times.at("a"), 3.01, 3.01 * kRelative);
}

TEST(SimSupply, BandwidthIsThatOfAPairsOwnLinkToo) {
  ClusterSpec cluster = small_cluster(4);
  cluster.links[{"a", "c"}] = {3e6, Seconds(0.01)};
  SupplyTrace supply;
  supply.add("a", Seconds(0.51), {.bandwidth = 0.5});
  SimCluster simulation(cluster, shape_options());
  simulation.follow(supply);
  // 1.5 MB by 0.51 s, then 1.5 MB/s.
  EXPECT_NEAR(arrivals_at_c(simulation, 3'000'000, {"a"}).at("a"), 1.51, 1.51 * kRelative);
}

TEST(SimSupply, WhatGoesByDefaultBesideAFasterLinkChangesWithIt) {
  ClusterSpec cluster = small_cluster(4);
  cluster.links[{"a", "d"}] = {3e6, Seconds(0.01)};
  SupplyTrace supply;
  supply.add("a", Seconds(0.51), {.bandwidth = 0.5});
  SimCluster simulation(cluster, shape_options());
  simulation.follow(supply);
  // 0.5 MB by 0.51 s at the default, then half of it.
  EXPECT_NEAR(arrivals_at_c(simulation, 1'000'000, {"a"}).at("a"), 1.51, 1.51 * kRelative);
}

TEST(SimSupply, ASharedMediumStaysAsItIs) {
  ClusterSpec cluster = small_cluster(4);
  cluster.shared_bytes_per_s = 4e5;
  SupplyTrace supply;
  supply.add("a", Seconds(0.01), {.bandwidth = 0.5});
  SimCluster simulation(cluster, shape_options());
  simulation.follow(supply);
  EXPECT_NEAR(arrivals_at_c(simulation, 400'000, {"a"}).at("a"), 1.01, 1.01 * kRelative);
}

TEST(SimSupply, ADeviceThatGoesIsLostThen) {
  SupplyTrace supply;
  supply.add("a", Seconds(2), {.present = false});
  supply.add("a", Seconds(3), {.speed = 0.5});
  SimCluster simulation(small_cluster(2), shape_options());
  simulation.follow(supply);
  simulation.start("a", [](Device& device) {
    compute(device, 10);
    ADD_FAILURE() << "a stayed";
  });
  simulation.start("b", [](Device& device) {
    const auto lost = device.receive(kNever);
    EXPECT_EQ(lost->from, "a");
    EXPECT_TRUE(std::holds_alternative<PeerLost>(lost->body));
    EXPECT_EQ(device.now(), Seconds(2));
  });
  simulation.run();
}

TEST(SimSupply, WhatItCannotHaveIsRefused) {
  SimCluster simulation(small_cluster(1), shape_options());
  EXPECT_THROW(simulation.set_speed_at(Seconds(1), "a", 0), BugError);
  EXPECT_THROW(simulation.set_bandwidth_at(Seconds(1), "a", 0), BugError);
  EXPECT_THROW(simulation.set_bandwidth_at(Seconds(1), "z", 1), BugError);
}

}  // namespace
}  // namespace lingua::testing
