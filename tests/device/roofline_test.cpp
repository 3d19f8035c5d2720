#include "runtime/device/roofline.h"

#include <gtest/gtest.h>

namespace lingua {
namespace {

// 100 B of weights, and 10 for each token; 1000 FLOPs for each.
TEST(ComputeTime, ABatchReadsWeightsOnceAndEverythingElseForEachStep) {
  Segment segment;
  segment.flops = StepFunction({0, 1000, 0, 0, 0, 0});
  segment.bytes_moved = StepFunction({100, 10, 0, 0, 0, 0});
  segment.weights_read = 100;
  const Work work = work_of(segment, {{1, 5}, {4, 0}, {1, 7}});
  EXPECT_EQ(work.flops, 6000);
  EXPECT_EQ(work.bytes, 100 + 60);
  const DeviceSpec slow_memory{"d", 1e9, 10, 1e9, 1, Seconds(0.5)};
  EXPECT_DOUBLE_EQ(compute_time(work, slow_memory).count(), 16.5);
  const DeviceSpec slow_cores{"d", 100, 1e9, 1e9, 1, Seconds(0)};
  EXPECT_DOUBLE_EQ(compute_time(work, slow_cores).count(), 60);
  EXPECT_EQ(compute_time(work_of(segment, {{4, 0}}), slow_memory),
            compute_time(segment, slow_memory, {4, 0}));
}

TEST(ComputeEnergy, IsPowerTimesBusyTime) {
  DeviceSpec device;
  device.power_w = 3;
  EXPECT_DOUBLE_EQ(compute_energy(device, Seconds(20)), 60);
  EXPECT_EQ(compute_energy(device, Seconds(0)), 0);
}

TEST(ComputeEnergy, IsNothingWhenThePowerIsNotKnown) {
  EXPECT_EQ(compute_energy(DeviceSpec{}, Seconds(20)), 0);
}

TEST(TransferEnergy, IsDrawnWhileTheBytesFlow) {
  ClusterSpec cluster;
  cluster.radio_power_w = 0.44;
  const LinkSpec link{40e6, Seconds(1)};
  EXPECT_DOUBLE_EQ(transfer_energy(cluster, link, 20e6), 0.22) << "latency draws nothing";
  EXPECT_EQ(transfer_energy(cluster, link, 0), 0);
}

TEST(TransferEnergy, IsNothingFromADeviceToItselfOrWhenThePowerIsNotKnown) {
  ClusterSpec cluster;
  EXPECT_EQ(transfer_energy(cluster, {40e6, Seconds(0)}, 20e6), 0);
  cluster.radio_power_w = 0.44;
  EXPECT_EQ(transfer_energy(cluster, cluster.link("a", "a"), 20e6), 0);
}

}  // namespace
}  // namespace lingua
