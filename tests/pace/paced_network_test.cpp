// Processes that share a network by a file: here several of its users in one process.

#include "runtime/pace/paced_network.h"

#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"

namespace lingua {
namespace {

using Clock = SlowNetwork::Clock;

class Paced : public ::testing::Test {
 protected:
  Paced() { std::ofstream(file()) << ""; }
  std::string file() const { return folder_.file("messages"); }

  static ClusterSpec cluster() {
    ClusterSpec cluster;
    for (const char* name : {"a", "b", "c"}) cluster.devices.push_back({name, 1e9, 1e9, 1e9});
    cluster.default_link = {1e6, Seconds(0.02)};
    return cluster;
  }
  // Waits as a mailroom does for a message that is really there since `came`.
  static Clock::time_point arrival(SlowNetwork& network, const DeviceName& from,
                                   Clock::time_point came) {
    while (true) {
      if (const auto when = network.take_arrival(from, came)) return *when;
      std::this_thread::sleep_until(network.next_look());
    }
  }
  static double seconds_since(Clock::time_point start, Clock::time_point end) {
    return Seconds(end - start).count();
  }

  TemporaryFolder folder_;
};

TEST_F(Paced, AMessageArrivesAfterItsLatencyAndItsBytes) {
  PacedNetwork a(cluster(), "a", file());
  PacedNetwork b(cluster(), "b", file());
  const Clock::time_point start = Clock::now();
  a.send("b", 50'000);
  const double sent_by = seconds_since(start, Clock::now());
  const double took = seconds_since(start, arrival(b, "a", start));
  EXPECT_GE(took, 0.07 - 1e-6);
  EXPECT_LE(took, 0.07 + sent_by + 1e-6) << "to the microsecond, however late one looks";
  EXPECT_EQ(b.delays().count, 1);
  EXPECT_EQ(b.delays().late, 0);
}

TEST_F(Paced, AMessageArrivesWhenTheBandwidthsOfItsTimeLetIt) {
  SupplyClock supply;
  supply.trace.add("b", Seconds(10), {.bandwidth = 0.5});
  supply.origin = Clock::now() - std::chrono::seconds(20);
  PacedNetwork a(cluster(), "a", file());
  PacedNetwork b(cluster(), "b", file());
  a.follow(supply);
  b.follow(supply);
  const Clock::time_point start = Clock::now();
  a.send("b", 50'000);
  const double sent_by = seconds_since(start, Clock::now());
  const double took = seconds_since(start, arrival(b, "a", start));
  EXPECT_GE(took, 0.12 - 1e-6);
  EXPECT_LE(took, 0.12 + sent_by + 1e-6);
}

TEST_F(Paced, ABandwidthThatChangesChangesWhatIsUnderWay) {
  SupplyClock supply;
  supply.origin = Clock::now();
  supply.trace.add("b", Seconds(0.1), {.bandwidth = 10});
  supply.trace.add("a", Seconds(0.1), {.bandwidth = 10});
  PacedNetwork a(cluster(), "a", file());
  PacedNetwork b(cluster(), "b", file());
  a.follow(supply);
  b.follow(supply);
  a.send("b", 1'000'000);
  const double sent_by = seconds_since(supply.origin, Clock::now());
  const double took = seconds_since(supply.origin, arrival(b, "a", supply.origin));
  EXPECT_GE(took, 0.1 + 0.092 - 1e-6) << "at most 0.08 MB by then, the rest ten times as fast";
  EXPECT_LE(took, 0.1 + 0.1 + sent_by + 1e-6);
}

TEST_F(Paced, MessagesOfOthersTakeTheirShareOfTheSameRadio) {
  PacedNetwork a(cluster(), "a", file());
  PacedNetwork b(cluster(), "b", file());
  PacedNetwork c(cluster(), "c", file());
  const Clock::time_point start = Clock::now();
  a.send("c", 50'000);
  b.send("c", 50'000);
  const double apart = seconds_since(start, Clock::now());
  EXPECT_GE(seconds_since(start, arrival(c, "a", start)), 0.02 + 0.1 - apart - 1e-6);
  EXPECT_GE(seconds_since(start, arrival(c, "b", start)), 0.02 + 0.1 - 1e-6);
}

TEST_F(Paced, WhatIsReallyThereLaterArrivesThenAndIsCounted) {
  PacedNetwork a(cluster(), "a", file());
  PacedNetwork b(cluster(), kCoordinator, file());
  a.send(kCoordinator, 1000);
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  const Clock::time_point came = Clock::now();
  EXPECT_EQ(b.take_arrival("a", came), came);
  EXPECT_EQ(b.delays().late, 1);
  EXPECT_GE(b.delays().most.count(), 0.03);
}

TEST_F(Paced, NotesThatCannotBeAreSkipped) {
  std::ofstream out(file(), std::ios::binary | std::ios::app);
  for (const int from : {-1, 7, 1}) {
    const std::int64_t sent_ns = 0;
    const std::int32_t ends[] = {from, 1};
    const double bytes = from == 1 ? -5 : 10;
    out.write(reinterpret_cast<const char*>(&sent_ns), sizeof sent_ns);
    out.write(reinterpret_cast<const char*>(ends), sizeof ends);
    out.write(reinterpret_cast<const char*>(&bytes), sizeof bytes);
  }
  out.flush();
  PacedNetwork a(cluster(), "a", file());
  PacedNetwork b(cluster(), "b", file());
  b.send("a", 300'000);
  EXPECT_FALSE(a.take_arrival("b", Clock::now()));
  arrival(a, "b", Clock::now());
  const Clock::time_point came = Clock::now();
  EXPECT_EQ(a.take_arrival("c", came), came) << "its sender has not noted it";
}

TEST_F(Paced, AFileThatIsNotThereIsNamed) {
  try {
    const PacedNetwork network(cluster(), "a", folder_.file("none"));
    FAIL() << "it was opened";
  } catch (const WorldError& error) {
    EXPECT_NE(std::string(error.what()).find("none"), std::string::npos);
  }
}

}  // namespace
}  // namespace lingua
