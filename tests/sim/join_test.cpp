// Devices that come, or come back, in a simulated cluster: who hears what of whom, and when.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/errors.h"
#include "tests/sim/lab.h"

namespace lingua::testing {
namespace {

using ::testing::ElementsAre;

// What a device has been sent, until so long: numbers, and who said Hello or was lost.
std::vector<std::string> heard(Device& device, Seconds until) {
  std::vector<std::string> all;
  while (const auto message = device.receive(until)) {
    if (std::holds_alternative<Hello>(message->body)) {
      EXPECT_EQ(std::get<Hello>(message->body).spec.name, message->from);
      all.push_back("hello " + message->from);
    } else if (std::holds_alternative<PeerLost>(message->body)) {
      all.push_back("lost " + message->from);
    } else {
      all.push_back(fmt::format("{} {}", message->from, number_of(*message)));
    }
  }
  return all;
}

TEST(SimJoin, WhatIsSentToADeviceBeforeItComesVanishes) {
  SimCluster simulation(small_cluster(2), shape_options());
  simulation.be_absent("b");
  simulation.join_at(Seconds(2), "b");
  simulation.start("b", [](Device& device) {
    EXPECT_EQ(device.now(), Seconds(2));
    EXPECT_THAT(heard(device, Seconds(10)), ElementsAre("a 2"));
    EXPECT_EQ(device.now(), Seconds(10));
  });
  simulation.start("a", [](Device& device) {
    device.send("b", payload(1000, 1));
    EXPECT_FALSE(device.receive(Seconds(3)).has_value()) << "nobody was lost";
    device.send("b", payload(1000, 2));
  });
  simulation.start(kCoordinator, [](Device& device) {
    const auto hello = device.receive(kNever);
    EXPECT_EQ(hello->from, "b");
    EXPECT_EQ(std::get<Hello>(hello->body).spec.flops_per_s, 1e9);
    EXPECT_NEAR(device.now().count(), 2.01, 0.001) << "after the latency";
  });
  simulation.run();
}

// b is lost while it computes and a message to it and one from it are under way, and comes back before their
// latency has passed.
TEST(SimJoin, ADeviceThatComesBackHasNothingOfWhatItWas) {
  ClusterSpec cluster = small_cluster(3);
  cluster.default_link.latency = Seconds(1);
  SimCluster simulation(cluster, shape_options());
  simulation.kill_at(Seconds(0.5), "b");
  simulation.join_at(Seconds(0.75), "b");
  int lives = 0;
  simulation.start("b", [&](Device& device) {
    if (++lives == 1) {
      device.send("a", payload(1000, 1));
      compute(device, 100);
      ADD_FAILURE() << "it lives on";
      return;
    }
    EXPECT_EQ(device.now(), Seconds(0.75));
    device.send("a", payload(1000, 2));
    EXPECT_THAT(heard(device, Seconds(3)), ElementsAre("a 4"));
    compute(device, 2);
    EXPECT_NEAR(device.now().count(), 5, 1e-9) << "alone";
  });
  simulation.start("a", [](Device& device) {
    device.send("b", payload(1000, 3));
    EXPECT_THAT(heard(device, Seconds(0.9)), ElementsAre("lost b"));
    device.send("b", payload(1000, 4));
    const auto message = device.receive(kNever);
    EXPECT_EQ(number_of(*message), 2);
    EXPECT_NEAR(message->arrived.count(), 1.7511, 1e-9) << "beside the Hello";
    EXPECT_FALSE(device.receive(Seconds(10)).has_value());
  });
  simulation.start(kCoordinator, [](Device& device) {
    EXPECT_THAT(heard(device, Seconds(10)), ElementsAre("lost b", "hello b"));
  });
  simulation.run();
  EXPECT_EQ(lives, 2);
}

TEST(SimJoin, OneThatWasSilentOrTakenForLostIsHeardAgain) {
  SimCluster simulation(small_cluster(2), shape_options());
  simulation.hang_at(Seconds(1), "b");
  simulation.lose_at(Seconds(2), "a", "b", "silent");
  simulation.join_at(Seconds(3), "b");
  simulation.call_at(Seconds(2.5), [&] {
    simulation.lose_at(Seconds(4), kCoordinator, "b", "ordered before it came back");
  });
  simulation.start("b", [lives = 0](Device& device) mutable {
    if (++lives > 1) device.send("a", payload(1000, 7));
    device.receive(Seconds(9));
  });
  simulation.start("a", [](Device& device) {
    EXPECT_THAT(heard(device, Seconds(9)), ElementsAre("lost b", "b 7"));
  });
  simulation.start(kCoordinator, [](Device& device) {
    EXPECT_THAT(heard(device, Seconds(9)), ElementsAre("hello b"));
  });
  simulation.run();
}

TEST(SimJoin, ALinkThatIsCutStaysCut) {
  SimCluster simulation(small_cluster(2), shape_options());
  simulation.cut_at(Seconds(1), "a", "b");
  simulation.kill_at(Seconds(2), "b");
  simulation.join_at(Seconds(3), "b");
  simulation.start("b", [](Device& device) {
    EXPECT_FALSE(device.receive(Seconds(9)).has_value());
    device.send("a", payload(1000, 8));
  });
  simulation.start("a", [](Device& device) {
    EXPECT_THAT(heard(device, Seconds(4)), ElementsAre("lost b"));
    device.send("b", payload(1000, 1));
    EXPECT_THAT(heard(device, Seconds(20)), ElementsAre("b 8"));
  });
  simulation.run();
}

TEST(SimJoin, OneThatIsThereStaysAndOneThatComesTooLateDoesNotBegin) {
  SimCluster simulation(small_cluster(2), shape_options());
  simulation.be_absent("b");
  simulation.join_at(Seconds(1), "a");
  simulation.join_at(Seconds(4), "b");
  int lives = 0;
  simulation.start("a", [&](Device& device) {
    ++lives;
    device.receive(Seconds(9));
  });
  simulation.start("b", [](Device&) { ADD_FAILURE() << "there is no run any more"; });
  simulation.start(kCoordinator, [](Device& device) { device.receive(Seconds(3)); });
  simulation.run();
  EXPECT_EQ(lives, 1);
  EXPECT_THROW(simulation.join_at(Seconds(5), kCoordinator), BugError);
  EXPECT_THROW(simulation.be_absent("a"), BugError);
}

TEST(SimJoin, ARunThatWaitsForOneToComeIsNotStuck) {
  SupplyTrace supply;
  supply.add("a", Seconds(0), {.present = false});
  supply.add("a", Seconds(50), {.present = true});
  supply.add("a", Seconds(60), {.present = false});
  supply.add("a", Seconds(70), {.present = true});
  SimCluster simulation(small_cluster(2), shape_options());
  simulation.follow(supply);
  std::vector<double> begun;
  simulation.start("a", [&](Device& device) {
    begun.push_back(device.now().count());
    device.receive(Seconds(80));
  });
  simulation.start(kCoordinator, [](Device& device) {
    for (const char* from : {"hello", "lost", "hello"}) {
      const auto message = device.receive(kNever);
      EXPECT_EQ(std::holds_alternative<Hello>(message->body), std::string(from) == "hello");
    }
  });
  simulation.run();
  EXPECT_THAT(begun, ElementsAre(50, 70));
}

}  // namespace
}  // namespace lingua::testing
