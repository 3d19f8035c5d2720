// What the processes of a paced run share.

#include "runtime/pace/pace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <thread>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "tests/support/stateless_executor.h"

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

// Whose segments give nothing, at once.
class Idle : public testing::StatelessExecutor {
 public:
  void load(const Segment&, const std::string&, const std::vector<Tensor>&) override {}
  void unload(SegmentId) override {}
  std::vector<SegmentResult> run(SegmentId, const std::vector<SegmentStep>& batch) override {
    return std::vector<SegmentResult>(batch.size());
  }
};

// The process of a worker that would live for 0.6 s: how it ended, and after how long.
struct End {
  int status = 0;
  double after_s = 0;
};
End end_of_worker(const std::string& folder, const DeviceName& device) {
  const auto begun = std::chrono::steady_clock::now();
  const pid_t child = ::fork();
  if (child == 0) {
    const Pace pace(folder, device);
    std::this_thread::sleep_for(std::chrono::milliseconds(600));
    ::_exit(7);
  }
  End end;
  ::waitpid(child, &end.status, 0);
  end.after_s = Seconds(std::chrono::steady_clock::now() - begun).count();
  return end;
}

TEST_F(PaceFolder, EndsTheProcessOfADeviceThatGoesAsIfItWereKilled) {
  SupplyTrace supply;
  supply.add("messages", Seconds(100.2), {.present = false});
  supply.add("cluster.yaml", Seconds(200), {.present = false});
  const TemporaryFolder shared;
  make_pace(shared.path(), cluster_file(), supply);
  Pace coordinator(shared.path(), kCoordinator);
  coordinator.begin(Seconds(100));
  const End gone = end_of_worker(shared.path(), "messages");
  ASSERT_TRUE(WIFSIGNALED(gone.status));
  EXPECT_EQ(WTERMSIG(gone.status), SIGKILL);
  EXPECT_GE(gone.after_s, 0.1) << "not before";
  EXPECT_LT(gone.after_s, 0.6);
  const End stayed = end_of_worker(shared.path(), "cluster.yaml");
  ASSERT_TRUE(WIFEXITED(stayed.status));
  EXPECT_EQ(WEXITSTATUS(stayed.status), 7);
}

TEST_F(PaceFolder, HasASupplyWhoseTimesCountFromWhereTheRunsClockDid) {
  SupplyTrace supply;
  supply.add("messages", Seconds(50), {.speed = 0.5, .battery = 0.3});
  supply.add("messages", Seconds(150), {.speed = 1.0 / 3, .bandwidth = 0.1});
  const TemporaryFolder shared;
  make_pace(shared.path(), cluster_file(), supply);
  Pace coordinator(shared.path(), kCoordinator);
  coordinator.begin(Seconds(100));
  Pace one(shared.path(), "messages");
  const auto executor = one.executor(std::make_unique<Idle>());
  Segment segment;
  segment.flops = 1e8;  // 0.1 s at full speed
  executor->load(segment, "", {});
  const std::vector<SegmentStep> batch = {{{0, Step{1, 0}, 0}, {}}};
  executor->run(0, batch);
  EXPECT_NEAR(one.work().modelled.count(), 0.2, 1e-9);
}

TEST_F(PaceFolder, WithASupplyIsForWorkersOfARunThatHasBegun) {
  SupplyTrace supply;
  supply.add("messages", Seconds(50), {.speed = 0.5});
  const TemporaryFolder shared;
  make_pace(shared.path(), cluster_file(), supply);
  EXPECT_THROW(Pace(shared.path(), "messages"), WorldError);
  supply.add("messages", Seconds(60), {.present = false});
  supply.add("messages", Seconds(70), {.present = true});
  EXPECT_THROW(make_pace(shared.path(), cluster_file(), supply), InputError);
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
