// Faults of a simulated cluster, and plans of them that strike between two messages.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "runtime/base/errors.h"
#include "sim/fault/fault_injector.h"
#include "sim/fault/lies.h"
#include "tests/sim/lab.h"

namespace lingua::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// ---- controls of the cluster ----

TEST(SimClusterFaults, ADeviceThatHangsIsMissedByNobodyUntilTheyAreTold) {
  SimCluster simulation(small_cluster(2), shape_options());
  simulation.hang_at(Seconds(1), "a");
  simulation.lose_at(Seconds(3), "b", "a", "silent");
  simulation.lose_at(Seconds(4), "b", "a", "silent again");
  simulation.start("a", [](Device& device) {
    device.send("b", payload(995'000, 1));  // is under way at 1 s
    device.receive(Seconds(2));
    ADD_FAILURE() << "a goes on";
  });
  simulation.start("b", [](Device& device) {
    EXPECT_EQ(number_of(*device.receive(kNever)), 1);
    EXPECT_GT(device.now(), Seconds(1));
    device.send("a", payload(1000));  // vanishes
    const auto lost = device.receive(kNever);
    EXPECT_EQ(lost->from, "a");
    EXPECT_EQ(std::get<PeerLost>(lost->body).reason, "silent");
    EXPECT_EQ(device.now(), Seconds(3));
    EXPECT_FALSE(device.receive(Seconds(50)).has_value()) << "it is told once";
  });
  simulation.run();
}

TEST(SimClusterFaults, ALinkIsCutInOneDirectionWithWhatIsUnderWay) {
  SimCluster simulation(small_cluster(3), shape_options());
  simulation.cut_at(Seconds(1), "a", "b");
  simulation.start("a", [](Device& device) {
    device.send("b", payload(500'000, 1));
    device.send("b", payload(900'000, 2));  // is under way at 1 s
    device.receive(Seconds(2));             // b's
    device.send("b", payload(1000, 3));
    device.send("c", payload(1000, 4));
  });
  simulation.start("b", [](Device& device) {
    EXPECT_EQ(number_of(*device.receive(kNever)), 1);
    EXPECT_FALSE(device.receive(Seconds(1.5)).has_value());
    device.send("a", payload(1000, 5));
    EXPECT_FALSE(device.receive(Seconds(50)).has_value());
  });
  simulation.start("c", [](Device& device) {
    EXPECT_EQ(number_of(*device.receive(kNever)), 4);
    EXPECT_NEAR(device.now().count(), 1.5 + 2 * 0.011, 1e-9);
  });
  simulation.run();
}

TEST(SimClusterFaults, WhatIsDelayedArrivesLaterAndInOrder) {
  SimCluster simulation(small_cluster(3), shape_options());
  simulation.delay_at(Seconds(1), "a", "b", Seconds(2));
  simulation.start("a", [](Device& device) {
    device.send("b", payload(1000, 1));
    device.receive(Seconds(1.5));
    for (std::int64_t i = 2; i < 5; ++i) device.send("b", payload(1000, i));
    device.send("c", payload(1000, 5));
  });
  simulation.start("b", [](Device& device) {
    for (std::int64_t i = 1; i < 5; ++i) {
      EXPECT_EQ(number_of(*device.receive(kNever)), i);
      EXPECT_NEAR(device.now().count(), i == 1 ? 0.011 : 3.01 + 0.001 * static_cast<double>(i - 1),
                  1e-9);
    }
  });
  simulation.start("c", [](Device& device) {
    device.receive(kNever);
    EXPECT_NEAR(device.now().count(), 1.511, 1e-9);
  });
  simulation.run();
}

TEST(SimClusterFaults, WhoTakesAnotherForLostHearsNothingMoreOfIt) {
  SimCluster simulation(small_cluster(2), shape_options());
  simulation.lose_at(Seconds(1), "b", "a", "answers nonsense");
  simulation.start("a", [](Device& device) {
    device.send("b", payload(500'000, 1));
    device.send("b", payload(900'000, 2));
    EXPECT_FALSE(device.receive(Seconds(50)).has_value()) << "it is not told";
  });
  simulation.start("b", [](Device& device) {
    EXPECT_EQ(number_of(*device.receive(kNever)), 1);
    EXPECT_TRUE(std::holds_alternative<PeerLost>(device.receive(kNever)->body));
    device.send("a", payload(1000));
    EXPECT_FALSE(device.receive(Seconds(50)).has_value());
  });
  simulation.run();
}

// ---- plans ----

Fault before(FaultKind kind, const DeviceName& device, int message) {
  Fault fault;
  fault.kind = kind;
  fault.device = device;
  fault.when.sender = device;
  fault.when.message = message;
  return fault;
}

FaultPlan plan_of(std::vector<Fault> faults) { return {1, std::move(faults)}; }

TEST(FaultPlan, IsThatOfItsSeed) {
  const ClusterSpec cluster = small_cluster(4);
  EXPECT_EQ(describe(draw_faults(5, cluster, {})), describe(draw_faults(5, cluster, {})));
  std::set<std::string> plans;
  for (std::uint64_t seed = 0; seed < 100; ++seed)
    plans.insert(describe(draw_faults(seed, cluster, {})));
  EXPECT_GT(plans.size(), 90U);
}

TEST(FaultPlan, HasEveryKindAndNoLiarUnlessAsked) {
  std::map<FaultKind, int> kinds;
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    for (const Fault& fault : draw_faults(seed, small_cluster(3), {}).faults) {
      ++kinds[fault.kind];
      EXPECT_NE(fault.device, fault.peer);
      EXPECT_FALSE(describe(fault).empty());
    }
    FaultDraw honest;
    honest.liars = false;
    EXPECT_FALSE(draw_faults(seed, small_cluster(3), honest).has(FaultKind::kLie));
  }
  EXPECT_EQ(kinds.size(), 11U);
}

// b takes what a sends, until it is told that a is lost, and gives its numbers.
std::vector<std::int64_t> heard_by_b(const FaultPlan& plan, FaultOptions options = {},
                                     Seconds* lost_at = nullptr) {
  SimCluster simulation(small_cluster(3), shape_options());
  FaultInjector injector(simulation, plan, std::move(options));
  std::vector<std::int64_t> numbers;
  simulation.start("a", injector.faulty([](Device& device) {
    for (std::int64_t i = 1; i < 6; ++i) device.send("b", payload(1000, i));
    device.receive(Seconds(20));
  }));
  simulation.start("b", injector.faulty([&](Device& device) {
    while (auto message = device.receive(Seconds(10))) {
      if (std::holds_alternative<PeerLost>(message->body)) {
        if (lost_at != nullptr) *lost_at = device.now();
        return;
      }
      if (std::holds_alternative<Activations>(message->body))
        numbers.push_back(number_of(*message));
    }
  }));
  simulation.run();
  return numbers;
}

TEST(FaultInjector, WithoutFaultsNothingStrikes) {
  EXPECT_THAT(heard_by_b({}), ElementsAre(1, 2, 3, 4, 5));
}

TEST(FaultInjector, AHangStrikesBeforeTheMessageAndIsNoticedByTheTimeout) {
  Seconds lost_at{-1};
  EXPECT_THAT(heard_by_b(plan_of({before(FaultKind::kHang, "a", 4)}), {Seconds(2), {}}, &lost_at),
              ElementsAre(1, 2, 3));
  EXPECT_EQ(lost_at, Seconds(-1)) << "b has sent a nothing, so that it has no connection to it";
}

TEST(FaultInjector, AKillStrikesBeforeTheMessageAndIsSeenAtOnce) {
  Seconds lost_at{-1};
  const auto heard = heard_by_b(plan_of({before(FaultKind::kKill, "a", 4)}), {}, &lost_at);
  EXPECT_TRUE(heard.empty()) << "they were under way";
  EXPECT_EQ(lost_at, Seconds(0));
}

TEST(FaultInjector, AKilledDeviceComesBackAndBeginsAnew) {
  Fault back = before(FaultKind::kReturn, "a", 4);
  back.lasts = Seconds(1);
  Seconds lost_at{-1};
  SimCluster simulation(small_cluster(2), shape_options());
  FaultInjector injector(simulation, plan_of({back}), {});
  std::vector<double> begun;
  simulation.start("a", injector.faulty([&](Device& device) {
    begun.push_back(device.now().count());
    for (std::int64_t i = 1; i < 6; ++i) device.send("b", payload(1000, i));
    device.receive(Seconds(20));
  }));
  std::vector<std::int64_t> numbers;
  simulation.start("b", injector.faulty([&](Device& device) {
    while (auto message = device.receive(Seconds(10))) {
      if (std::holds_alternative<PeerLost>(message->body)) lost_at = device.now();
      if (std::holds_alternative<Activations>(message->body))
        numbers.push_back(number_of(*message));
    }
  }));
  simulation.run();
  EXPECT_EQ(lost_at, Seconds(0));
  EXPECT_THAT(begun, ElementsAre(0, 1));
  EXPECT_THAT(numbers, ElementsAre(1, 2, 3, 4, 5)) << "of the second life";
  EXPECT_THAT(injector.struck(),
              ElementsAre(HasSubstr("kill a before message 4 of a, which comes")));
}

TEST(FaultInjector, APauseDelaysWhatFollows) {
  Fault pause = before(FaultKind::kPause, "a", 3);
  pause.lasts = Seconds(0.5);
  EXPECT_THAT(heard_by_b(plan_of({pause})), ElementsAre(1, 2, 3, 4, 5));
}

TEST(FaultInjector, ALiarIsHeardTwice) {
  Fault lie = before(FaultKind::kLie, "a", 3);
  EXPECT_THAT(heard_by_b(plan_of({lie})), ElementsAre(1, 2, 3, 3, 4, 5));
}

TEST(FaultInjector, ALieThatTheWireRefusesMakesItsSenderLost) {
  Fault lie = before(FaultKind::kLie, "a", 3);
  FaultOptions options;
  options.over_the_wire = [](const MessageBody&) -> MessageBody { throw InputError("a NaN"); };
  Seconds lost_at{-1};
  EXPECT_TRUE(heard_by_b(plan_of({lie}), options, &lost_at).empty());
  EXPECT_EQ(lost_at, Seconds(0)) << "it was told before the first message came";
}

// a and b send to each other all the time; both hear of the cut, and c of nothing.
TEST(FaultInjector, BothEndsOfACutLinkHearOfIt) {
  Fault cut;
  cut.kind = FaultKind::kCut;
  cut.device = "a";
  cut.peer = "b";
  cut.when.time = Seconds(1);
  SimCluster simulation(small_cluster(3), shape_options());
  FaultInjector injector(simulation, plan_of({cut}), {Seconds(2), {}});
  std::map<DeviceName, Seconds> noticed;
  const auto body = [&](const DeviceName& peer) {
    return injector.faulty([&noticed, peer](Device& device) {
      while (device.now() < Seconds(10)) {
        device.send(peer, payload(1000));
        const auto message = device.receive(device.now() + Seconds(0.1));
        if (message && std::holds_alternative<PeerLost>(message->body)) {
          EXPECT_EQ(message->from, peer);
          noticed[device.name()] = device.now();
        }
      }
    });
  };
  simulation.start("a", body("b"));
  simulation.start("b", body("a"));
  simulation.start("c", body("a"));
  simulation.run();
  ASSERT_EQ(noticed.size(), 2U);
  for (const char* name : {"a", "b"}) {
    EXPECT_GE(noticed[name], Seconds(3));
    EXPECT_LE(noticed[name], Seconds(3.25));
  }
  EXPECT_THAT(injector.struck(), ElementsAre(HasSubstr("cut a -> b")));
}

TEST(FaultInjector, ADeviceHasLessMemoryThanItIsSaidToHave) {
  Fault less;
  less.kind = FaultKind::kLessMemory;
  less.device = "a";
  less.factor = 0.25;
  SimCluster simulation(small_cluster(2), shape_options());
  FaultInjector injector(simulation, plan_of({less}), {});
  simulation.start("a", injector.faulty([](Device& device) {
    EXPECT_EQ(device.spec().memory_bytes, 0.25e6);
    EXPECT_EQ(device.telemetry().free_memory_bytes, 0.25e6);
  }));
  simulation.start(
      "b", injector.faulty([](Device& device) { EXPECT_EQ(device.spec().memory_bytes, 1e6); }));
  simulation.run();
}

TEST(FaultInjector, ALoadAndAStepFailWhereTheyShould) {
  Fault load;
  load.kind = FaultKind::kLoadFails;
  load.device = "a";
  load.count = 2;
  Fault run = load;
  run.kind = FaultKind::kRunFails;
  run.count = 2;
  SimCluster simulation(small_cluster(1), shape_options());
  FaultInjector injector(simulation, plan_of({load, run}), {});
  simulation.start("a", injector.faulty([](Device& device) {
    Executor& executor = device.executor();
    executor.load(busy_segment(0, 1), "", {});
    EXPECT_THROW(executor.load(busy_segment(1, 1), "", {}), WorldError);
    executor.load(busy_segment(2, 1), "", {});
    const std::vector<SegmentStep> batch(2);
    EXPECT_TRUE(executor.run(0, batch)[0].error.empty());
    const auto results = executor.run(0, batch);
    EXPECT_FALSE(results[0].error.empty());
    EXPECT_TRUE(results[1].error.empty());
    EXPECT_TRUE(executor.run(0, batch)[0].error.empty());
  }));
  simulation.run();
  EXPECT_EQ(injector.struck().size(), 2U);
}

TEST(Lies, AreToldOnlyWhereTheyCanBe) {
  Rng rng(1);
  EXPECT_FALSE(lie_about(Lacks{1, {}, {}}, Lie::kNotANumber, rng).has_value());
  EXPECT_FALSE(lie_about(TokenMade{0, 0, 3}, Lie::kOldEpoch, rng).has_value());
  const auto ready = lie_about(Ready{2, 5}, Lie::kNotANumber, rng);
  ASSERT_TRUE(ready.has_value());
  EXPECT_TRUE(std::isnan(std::get<Ready>(*ready).free_bytes));
  EXPECT_EQ(std::get<StepResult>(*lie_about(StepResult{3, 0, 1, 2, {}}, Lie::kOldEpoch, rng)).epoch,
            2);
}

}  // namespace
}  // namespace lingua::testing
