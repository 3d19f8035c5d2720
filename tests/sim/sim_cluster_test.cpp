// Time, faults and ends of a simulated run.

#include "sim/cluster/sim_cluster.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/errors.h"
#include "runtime/base/random.h"
#include "tests/sim/lab.h"

namespace lingua::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(SimCluster, ADeadlineIsKeptExactlyAndAMessageBeforeItIsGiven) {
  SimCluster simulation(small_cluster(2), shape_options());
  simulation.start("a", [](Device& device) {
    compute(device, 5);
    device.send("b", payload(1000));
  });
  simulation.start("b", [](Device& device) {
    EXPECT_FALSE(device.receive(Seconds(0.1)).has_value());
    EXPECT_EQ(device.now(), Seconds(0.1));
    EXPECT_FALSE(device.receive(Seconds(1.0 / 3)).has_value());
    EXPECT_EQ(device.now(), Seconds(1.0 / 3));
    EXPECT_TRUE(device.receive(Seconds(100)).has_value());
    EXPECT_NEAR(device.now().count(), 5.011, 1e-9);
    EXPECT_FALSE(device.receive(Seconds(7)).has_value());  // the alarm of 100 s is no longer meant
    EXPECT_EQ(device.now(), Seconds(7));
  });
  simulation.run();
}

TEST(SimCluster, ComputingTakesTheRooflineTime) {
  ClusterSpec cluster = small_cluster(1);
  cluster.devices[0].overhead = Seconds(0.25);
  SimCluster simulation(cluster, shape_options());
  simulation.start("a", [](Device& device) {
    Segment segment = busy_segment(0, 0);
    segment.flops = StepFunction({0, 2e9, 0, 0, 0, 0});
    segment.bytes_moved = StepFunction({3e10, 0, 0, 0, 0, 0});
    device.executor().load(segment, "", {});
    device.executor().run(0, {1, {2, 0}, 2}, {});
    EXPECT_NEAR(device.now().count(), 4.25, 1e-9);
    device.executor().run(0, {1, {1, 2}, 2}, {});
    EXPECT_NEAR(device.now().count(), 4.25 + 3.25, 1e-9);
  });
  simulation.run();
}

TEST(SimCluster, ThrottlingStretchesWhatIsLeftOfAComputation) {
  SimCluster simulation(small_cluster(1), shape_options());
  simulation.throttle_at(Seconds(4), "a", 0.5);
  simulation.throttle_at(Seconds(8), "a", 0.25);
  simulation.throttle_at(Seconds(16), "a", 8);
  simulation.start("a", [](Device& device) {
    compute(device, 10);  // 4 + 4 x 0.5 + 8 x 0.125 done at 16 s, the other 3 at full speed
    EXPECT_NEAR(device.now().count(), 19, 1e-9);
    compute(device, 1);
    EXPECT_NEAR(device.now().count(), 20, 1e-9);
  });
  simulation.run();
}

TEST(SimCluster, ThrottlingOneDeviceLeavesTheOthersAlone) {
  SimCluster simulation(small_cluster(2), shape_options());
  simulation.throttle_at(Seconds(0), "a", 0.5);
  for (const auto& [name, end] : std::map<DeviceName, double>{{"a", 4}, {"b", 2}}) {
    simulation.start(name, [end = end](Device& device) {
      device.receive(Seconds(0.5));  // the throttle of time 0 is in force
      compute(device, (end == 4 ? 3.5 / 2 : 1.5));
      EXPECT_NEAR(device.now().count(), end, 1e-9);
    });
  }
  simulation.run();
}

TEST(SimCluster, AllOthersHearOfAKilledDeviceAtOnceAndLast) {
  SimCluster simulation(small_cluster(3), shape_options());
  simulation.kill_at(Seconds(1), "a");
  simulation.start("a", [](Device& device) {
    device.send("b", payload(500'000, 1));  // arrives at 0.51
    device.send("b", payload(900'000, 2));  // is under way at 1
    device.send("c", payload(100, 3));
    compute(device, 100);
    ADD_FAILURE() << "a survived";
  });
  for (const auto& [name, number] : std::map<DeviceName, std::int64_t>{{"b", 1}, {"c", 3}}) {
    simulation.start(name, [number = number](Device& device) {
      const auto message = device.receive(kNever);
      EXPECT_EQ(number_of(*message), number);
      const auto lost = device.receive(kNever);
      EXPECT_EQ(lost->from, "a");
      EXPECT_TRUE(std::holds_alternative<PeerLost>(lost->body));
      EXPECT_EQ(device.now(), Seconds(1));
      EXPECT_FALSE(device.receive(Seconds(50)).has_value());
    });
  }
  simulation.run();
}

TEST(SimCluster, WhatAKilledDeviceOccupiedIsFreeAgain) {
  SimCluster simulation(small_cluster(3), shape_options());
  simulation.kill_at(Seconds(1.01), "a");
  simulation.start("a", [](Device& device) {
    device.send("c", payload(50'000'000));
    device.receive(kNever);
  });
  simulation.start("b", [](Device& device) { device.send("c", payload(1'000'000)); });
  simulation.start("c", [](Device& device) {
    EXPECT_TRUE(std::holds_alternative<PeerLost>(device.receive(kNever)->body));
    device.receive(kNever);
    EXPECT_NEAR(device.now().count(), 1.01 + 0.5, 1e-9);  // half was there at 1.01 s
  });
  simulation.run();
}

TEST(SimCluster, TheStackOfAKilledBodyIsUnwound) {
  struct Mark {
    bool* done;
    ~Mark() { *done = true; }
  };
  bool waiting = false;
  bool computing = false;
  SimCluster simulation(small_cluster(2), shape_options());
  simulation.kill_at(Seconds(1), "a");
  simulation.kill_at(Seconds(2), "b");
  simulation.start("a", [&](Device& device) {
    const Mark mark{&waiting};
    device.receive(kNever);
  });
  simulation.start("b", [&](Device& device) {
    const Mark mark{&computing};
    compute(device, 10);
  });
  simulation.run();
  EXPECT_TRUE(waiting);
  EXPECT_TRUE(computing);
}

TEST(SimCluster, ADeviceThatHasFinishedCannotBeKilled) {
  SimCluster simulation(small_cluster(2), shape_options());
  simulation.kill_at(Seconds(1), "a");
  simulation.start("a", [](Device&) {});
  simulation.start("b", [](Device& device) {
    device.send("a", payload(1000));  // vanishes
    EXPECT_FALSE(device.receive(Seconds(3)).has_value());
  });
  simulation.run();
}

TEST(SimCluster, ADeadlockNamesThoseWhoWait) {
  SimCluster simulation(small_cluster(3), shape_options());
  simulation.start("a", [](Device& device) { device.receive(kNever); });
  simulation.start("b", [](Device& device) {
    compute(device, 2);
    device.receive(kNever);
  });
  simulation.start("c", [](Device& device) { device.receive(Seconds(3)); });
  try {
    simulation.run();
    ADD_FAILURE() << "no deadlock was seen";
  } catch (const WorldError& error) {
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("after 3 s"), HasSubstr("a, b"), Not(HasSubstr("c,"))));
  }
}

TEST(SimCluster, WaitingForAKillToComeIsNoDeadlock) {
  SimCluster simulation(small_cluster(2), shape_options());
  simulation.kill_at(Seconds(1000), "b");
  simulation.start("b", [](Device& device) { device.receive(kNever); });
  simulation.start("a", [](Device& device) {
    EXPECT_TRUE(std::holds_alternative<PeerLost>(device.receive(kNever)->body));
    EXPECT_EQ(device.now(), Seconds(1000));
  });
  simulation.run();
}

TEST(SimCluster, AnExceptionOfABodyEndsTheRunAndComesOut) {
  SimCluster simulation(small_cluster(2), shape_options());
  simulation.start("a", [](Device& device) {
    compute(device, 1);
    throw InputError("the third field of a file");
  });
  simulation.start("b", [](Device& device) {
    compute(device, 1e9);
    ADD_FAILURE() << "the run went on";
  });
  try {
    simulation.run();
    ADD_FAILURE() << "nothing came out";
  } catch (const InputError& error) {
    EXPECT_STREQ(error.what(), "the third field of a file");
  }
}

TEST(SimCluster, FaultsCanBeOrderedDuringARun) {
  SimCluster simulation(small_cluster(2), shape_options());
  simulation.start("a", [&](Device& device) {
    simulation.kill_at(Seconds(2), "b");
    simulation.throttle_at(Seconds(1), "a", 0.5);
    compute(device, 2);
    EXPECT_NEAR(device.now().count(), 3, 1e-9);
    EXPECT_EQ(device.receive(kNever)->arrived, Seconds(2));
  });
  simulation.start("b", [](Device& device) { device.receive(kNever); });
  simulation.run();
}

TEST(SimCluster, AClientIsWhereTheCoordinatorIs) {
  SimCluster simulation(small_cluster(1), shape_options());
  simulation.start_client("client:1", [](Mailbox& mailbox) {
    EXPECT_EQ(mailbox.name(), "client:1");
    mailbox.send(kCoordinator, Cancel{3});
    const auto answer = mailbox.receive(kNever);
    EXPECT_EQ(answer->from, kCoordinator);
    EXPECT_EQ(answer->arrived, Seconds(0)) << "no link lies between";
  });
  simulation.start(kCoordinator, [](Device& device) {
    EXPECT_EQ(device.receive(kNever)->from, "client:1");
    device.send("client:1", Stop{});
  });
  simulation.run();
}

TEST(SimCluster, LoadIsTheShareOfTimeSpentComputingSinceTheLastReading) {
  SimCluster simulation(small_cluster(1), shape_options());
  simulation.start("a", [](Device& device) {
    compute(device, 1);
    device.receive(Seconds(4));
    EXPECT_NEAR(device.telemetry().load, 0.25, 1e-9);
    compute(device, 2);
    EXPECT_NEAR(device.telemetry().load, 1, 1e-9);
    EXPECT_EQ(device.telemetry().load, 0);
  });
  simulation.run();
}

TEST(SimCluster, ADeviceThatTheClusterDoesNotHaveIsABug) {
  SimCluster simulation(small_cluster(1), shape_options());
  EXPECT_THROW(simulation.start("z", [](Device&) {}), BugError);
  EXPECT_THROW(simulation.kill_at(Seconds(1), "z"), BugError);
  EXPECT_THROW(simulation.throttle_at(Seconds(1), "a", 0), BugError);
}

// Random traffic, computation, kills and throttles on eight devices; gives all that was seen, exactly.
std::string random_run(std::uint64_t seed) {
  constexpr int kDevices = 8;
  ClusterSpec cluster = small_cluster(kDevices);
  cluster.shared_bytes_per_s = 3e6;
  cluster.links[{"a", "b"}] = {5e6, Seconds(0.002)};
  SimCluster simulation(cluster, shape_options());
  Rng faults(seed);
  simulation.kill_at(Seconds(faults.uniform(0, 5)), "c");
  simulation.throttle_at(Seconds(faults.uniform(0, 5)), "d", 0.3);
  std::string log;
  for (int i = 0; i < kDevices; ++i) {
    const DeviceName name = cluster.devices[static_cast<std::size_t>(i)].name;
    simulation.start(name, [&, i](Device& device) {
      Rng rng(seed + static_cast<std::uint64_t>(i) * 1000);
      while (device.now() < Seconds(10)) {
        const auto& to = cluster.devices[rng.below(kDevices)].name;
        device.send(to, payload(100 + static_cast<std::int64_t>(rng.below(200'000)), i));
        if (rng.below(2) == 0) compute(device, rng.uniform(0, 0.1));
        const auto message = device.receive(device.now() + Seconds(rng.uniform(0, 0.3)));
        if (message) {
          log += fmt::format("{:a} {} <- {} {:a}\n", device.now().count(), device.spec().name,
                             message->from, message->arrived.count());
        }
      }
    });
  }
  simulation.run();
  return log;
}

// The same in a process of its own.
std::string random_run_in_child(std::uint64_t seed) {
  int ends[2];
  if (pipe(ends) != 0) return "no pipe";
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    const std::string log = random_run(seed);
    for (std::size_t sent = 0; sent < log.size();) {
      const ssize_t count = write(ends[1], log.data() + sent, log.size() - sent);
      if (count <= 0) _exit(1);
      sent += static_cast<std::size_t>(count);
    }
    _exit(0);
  }
  close(ends[1]);
  std::string log;
  char buffer[4096];
  for (ssize_t count = 0; (count = read(ends[0], buffer, sizeof buffer)) > 0;) {
    log.append(buffer, static_cast<std::size_t>(count));
  }
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  return log;
}

TEST(SimCluster, TwoRunsOfOneSeedAgreeToTheLastBitAndOtherSeedsDiffer) {
  const std::string first = random_run_in_child(1);
  EXPECT_GT(first.size(), 10'000U);
  EXPECT_EQ(first, random_run_in_child(1));
  EXPECT_NE(first, random_run_in_child(2));
}

TEST(SimCluster, ItsConfigurationNamesSimGridAndTheModel) {
  EXPECT_THAT(SimCluster::configuration(), AllOf(HasSubstr("SimGrid "), HasSubstr("CM02")));
}

}  // namespace
}  // namespace lingua::testing
