// What transfers take in the simulated world.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "runtime/device/network_layout.h"
#include "tests/sim/lab.h"

namespace lingua::testing {
namespace {

constexpr double kRelative = 1e-9;

// Sends each message (from, to, bytes) at time 0 and gives the times of arrival, in order of `flows`.
struct Flow {
  DeviceName from;
  DeviceName to;
  std::int64_t bytes;
};

std::vector<double> arrivals(const ClusterSpec& cluster, const std::vector<Flow>& flows) {
  std::vector<double> times(flows.size(), -1);
  SimCluster simulation(cluster, shape_options());
  std::vector<DeviceName> names = {kCoordinator};
  for (const DeviceSpec& device : cluster.devices) names.push_back(device.name);
  for (const DeviceName& name : names) {
    simulation.start(name, [&flows, &times, name](Device& device) {
      std::size_t expected = 0;
      for (std::size_t i = 0; i < flows.size(); ++i) {
        const auto number = static_cast<std::int64_t>(i);
        if (flows[i].from == name) device.send(flows[i].to, payload(flows[i].bytes, number));
        if (flows[i].to == name) ++expected;
      }
      for (; expected > 0; --expected) {
        const auto message = device.receive(kNever);
        times[static_cast<std::size_t>(number_of(*message))] = message->arrived.count();
        EXPECT_EQ(message->arrived, device.now());
        EXPECT_EQ(message->sent, Seconds(0));
      }
    });
  }
  simulation.run();
  return times;
}

void expect_times(const std::vector<double>& got, const std::vector<double>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_NEAR(got[i], expected[i], expected[i] * kRelative) << "flow " << i;
  }
}

TEST(SimNetwork, ATransferAloneTakesLatencyAndBytesOverBandwidth) {
  std::vector<Flow> flows;
  std::vector<double> expected;
  ClusterSpec cluster = small_cluster(10);
  const std::vector<std::int64_t> sizes = {100, 101, 4096, 500'000, 123'456'789};
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    flows.push_back({cluster.devices[2 * i].name, cluster.devices[2 * i + 1].name, sizes[i]});
    expected.push_back(0.01 + static_cast<double>(sizes[i]) / 1e6);
  }
  expect_times(arrivals(cluster, flows), expected);
}

TEST(SimNetwork, APairWithALinkOfItsOwnRunsAtThatLink) {
  ClusterSpec cluster = small_cluster(6);
  cluster.links[{"a", "b"}] = {3e5, Seconds(0.05)};
  cluster.links[{"c", "d"}] = {7e6, Seconds(0.001)};
  cluster.shared_bytes_per_s = 20e6;
  expect_times(arrivals(cluster, {{"a", "b", 600'000}, {"c", "d", 700'000}, {"f", "e", 500'000}}),
               {0.05 + 2.0, 0.001 + 0.1, 0.01 + 0.5});
}

ClusterSpec relayed_cluster() {
  ClusterSpec cluster = small_cluster(4);
  cluster.devices[1].relayed = cluster.devices[3].relayed = true;
  lay_relayed_links(&cluster);
  return cluster;
}

// A megabyte at 1 MB/s, twice; back it goes once.
TEST(SimNetwork, WhatGoesToARelayedDeviceTakesBothHops) {
  expect_times(arrivals(relayed_cluster(), {{"a", "b", 1'000'000}, {"d", "c", 1'000'000}}),
               {0.02 + 2, 0.01 + 1});
}

TEST(SimNetwork, WhatIsRelayedSharesTheCoordinatorsRadio) {
  ClusterSpec cluster = relayed_cluster();
  cluster.links[{"a", "b"}].bytes_per_s = cluster.links[{"c", "d"}].bytes_per_s = 1e6;
  expect_times(arrivals(cluster, {{"a", "b", 1'000'000}, {"c", "d", 1'000'000}}),
               {0.02 + 2, 0.02 + 2});
}

TEST(SimNetwork, LinksAreDirected) {
  ClusterSpec cluster = small_cluster(2);
  cluster.links[{"a", "b"}] = {1e5, Seconds(0.5)};
  expect_times(arrivals(cluster, {{"a", "b", 100'000}, {"b", "a", 100'000}}), {1.5, 0.11});
}

TEST(SimNetwork, OtherFlowsOfADeviceWithAFasterLinkStayAtTheDefault) {
  ClusterSpec cluster = small_cluster(3);
  cluster.links[{"a", "b"}] = {1e7, Seconds(0.01)};
  expect_times(arrivals(cluster, {{"a", "c", 1'000'000}}), {1.01});
}

TEST(SimNetwork, TheCoordinatorSendsAndReceivesLikeADevice) {
  expect_times(arrivals(small_cluster(2), {{kCoordinator, "a", 1000}, {"b", kCoordinator, 1000}}),
               {0.011, 0.011});
}

TEST(SimNetwork, MessagesInARowPayTheLatencyOnce) {
  expect_times(arrivals(small_cluster(2), {{"a", "b", 1000}, {"a", "b", 9000}, {"a", "b", 100}}),
               {0.011, 0.020, 0.0201});
}

TEST(SimNetwork, AStreamIsOneFlowHoweverManyMessagesItHas) {
  expect_times(
      arrivals(
          small_cluster(3),
          {{"a", "c", 1'000'000}, {"b", "c", 250'000}, {"b", "c", 250'000}, {"b", "c", 500'000}}),
      {2.01, 0.51, 1.01, 2.01});
}

TEST(SimNetwork, FlowsIntoOneDeviceShareItsDownlink) {
  expect_times(arrivals(small_cluster(3), {{"a", "c", 1'000'000}, {"b", "c", 500'000}}),
               {1.51, 1.01});
}

TEST(SimNetwork, FlowsOutOfOneDeviceShareItsUplink) {
  expect_times(arrivals(small_cluster(3), {{"a", "b", 1'000'000}, {"a", "c", 500'000}}),
               {1.51, 1.01});
}

TEST(SimNetwork, ADeviceSendsAndReceivesAtFullSpeedAtOnce) {
  expect_times(arrivals(small_cluster(2), {{"a", "b", 500'000}, {"b", "a", 500'000}}),
               {0.51, 0.51});
}

TEST(SimNetwork, TwoPairsDoNotDisturbEachOtherWithoutASharedMedium) {
  expect_times(arrivals(small_cluster(4), {{"a", "b", 500'000}, {"c", "d", 500'000}}),
               {0.51, 0.51});
}

TEST(SimNetwork, TwoPairsHalveASharedMedium) {
  ClusterSpec cluster = small_cluster(4);
  cluster.shared_bytes_per_s = 1e6;
  expect_times(arrivals(cluster, {{"a", "b", 500'000}, {"c", "d", 500'000}}), {1.01, 1.01});
}

TEST(SimNetwork, ASmallMessageDoesNotWaitForALargeOneOfAnotherSender) {
  expect_times(arrivals(small_cluster(3), {{"a", "c", 10'000'000}, {"b", "c", 1000}}),
               {10.011, 0.012});
}

TEST(SimNetwork, ADeviceReachesItselfAtOnce) {
  expect_times(arrivals(small_cluster(1), {{"a", "a", 1'000'000}}), {0.0});
}

TEST(SimNetwork, AMessageWithoutBytesTakesTheLatency) {
  SimOptions options = shape_options();
  options.wire_bytes = [](const MessageBody&) { return 0.0; };
  SimCluster simulation(small_cluster(2), options);
  simulation.start("a", [](Device& device) {
    device.send("b", payload(100, 1));
    device.send("b", payload(100, 2));
  });
  simulation.start("b", [](Device& device) {
    for (const std::int64_t number : {1, 2}) {
      const auto message = device.receive(kNever);
      EXPECT_EQ(number_of(*message), number);
      EXPECT_DOUBLE_EQ(message->arrived.count(), 0.01);
    }
  });
  simulation.run();
}

TEST(SimNetwork, ArrivalIsWhenTheBytesAreThereEvenIfTheReceiverComputes) {
  SimCluster simulation(small_cluster(2), shape_options());
  simulation.start("a", [](Device& device) { device.send("b", payload(1000)); });
  simulation.start("b", [](Device& device) {
    compute(device, 2);
    const auto message = device.receive(Seconds(0));
    ASSERT_TRUE(message.has_value());
    EXPECT_NEAR(message->arrived.count(), 0.011, 1e-12);
    EXPECT_NEAR(device.now().count(), 2, 1e-12);
  });
  simulation.run();
}

TEST(SimNetwork, SendingTakesNoTimeAndCopiesNoTensor) {
  const Tensor tensor = make_int64_tensor({1, 2, 3});
  SimCluster simulation(small_cluster(2), shape_options());
  simulation.start("a", [&](Device& device) {
    Activations message;
    message.tensors = {tensor};
    for (int i = 0; i < 100; ++i) device.send("b", message);
    EXPECT_EQ(device.now(), Seconds(0));
  });
  simulation.start("b", [&](Device& device) {
    for (int i = 0; i < 100; ++i) {
      const auto message = device.receive(kNever);
      EXPECT_EQ(std::get<Activations>(message->body).tensors[0].data, tensor.data);
      EXPECT_EQ(message->wire_bytes, 124);
    }
  });
  simulation.run();
}

TEST(SimNetwork, AThousandDevicesAreQuicklyBuiltEvenWithLinksOfTheirOwn) {
  ClusterSpec cluster = small_cluster(1000);
  cluster.links[{"d3", "d4"}] = {1e5, Seconds(0.01)};
  SimCluster simulation(cluster, shape_options());
  for (int i = 0; i < 1000; ++i) {
    const DeviceName next = i == 999 ? kCoordinator : fmt::format("d{}", i + 1);
    simulation.start(fmt::format("d{}", i), [next, i](Device& device) {
      if (i > 0) device.receive(kNever);
      device.send(next, payload(1000));
    });
  }
  simulation.start(kCoordinator, [](Device& device) {
    device.receive(kNever);
    EXPECT_NEAR(device.now().count(), 999 * 0.011 + 0.02, 1e-6);
  });
  simulation.run();
}

}  // namespace
}  // namespace lingua::testing
