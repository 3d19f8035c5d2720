#include "runtime/device/roofline.h"

#include <gtest/gtest.h>

namespace lingua {
namespace {

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
