// What the processes of a paced run share.

#include "runtime/pace/pace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"

namespace lingua {
namespace {

class PaceFolder : public ::testing::Test {
 protected:
  PaceFolder() {
    std::ofstream(cluster_file())
        << "devices:\n"
           "  - {name: messages, compute: 1 GFLOP/s, memory_bandwidth: 1 GB/s, memory: 1 GB}\n"
           "  - {name: cluster.yaml, compute: 1 GFLOP/s, memory_bandwidth: 1 GB/s, memory: 1 GB}\n"
           "links: {default: {bandwidth: 1 GB/s, latency: 0 s}}\n";
    make_pace(shared_.path(), cluster_file());
  }
  std::string cluster_file() const { return folder_.file("cluster.yaml"); }

  TemporaryFolder folder_;
  TemporaryFolder shared_;
};

TEST_F(PaceFolder, HasAReportOfEachDeviceWhateverItsName) {
  Pace coordinator(shared_.path(), kCoordinator);
  Pace one(shared_.path(), "messages");
  Pace other(shared_.path(), "cluster.yaml");
  one.network()->send("cluster.yaml", 10);
  const auto now = SlowNetwork::Clock::now();
  while (!other.network()->take_arrival("messages", now)) {
  }
  one.report();
  other.report();
  other.report();
  coordinator.report();
  EXPECT_EQ(read_pace_report(shared_.path(), "messages").messages.count, 0);
  EXPECT_EQ(read_pace_report(shared_.path(), "cluster.yaml").messages.count, 1);
  EXPECT_EQ(read_pace_report(shared_.path(), "nobody").messages.count, 0);
}

TEST_F(PaceFolder, HasNoDevicesButTheClusters) {
  try {
    const Pace pace(shared_.path(), "nobody");
    FAIL() << "it was taken in";
  } catch (const WorldError& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("nobody"));
  }
}

}  // namespace
}  // namespace lingua
