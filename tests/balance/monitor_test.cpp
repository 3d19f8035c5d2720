#include "runtime/balance/monitor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace lingua {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

ClusterSpec two_phones() {
  ClusterSpec cluster;
  cluster.name = "test";
  cluster.default_link = {1e6, Seconds(0.002)};
  cluster.devices = {{"a", 1e9, 2e9, 1e9, 1, Seconds(0.001)}, {"b", 1e9, 2e9, 1e9, 1, Seconds(0)}};
  return cluster;
}

WorkReport tokens(double slowness) { return {1, {}, {4, 0.1, 0.1 * slowness}, {}, 0, {}}; }
WorkReport prompts(double slowness) { return {1, {4, 0.1, 0.1 * slowness}, {}, {}, 0, {}}; }

class MonitorTest : public ::testing::Test {
 protected:
  // Ten reports, ten seconds apart.
  void hear(const DeviceName& device, const WorkReport& report, int times = 10) {
    for (int i = 0; i < times; ++i) {
      now_ += Seconds(10);
      EXPECT_THAT(monitor_.take(device, report, now_), IsEmpty());
    }
  }

  const ClusterSpec cluster_ = two_phones();
  Monitor monitor_{cluster_};
  Seconds now_{0};
};

TEST_F(MonitorTest, IsTheClusterWhileAllIsAsPlannedWith) {
  hear("a", tokens(1));
  EXPECT_EQ(monitor_.present().device("a").memory_bytes_per_s, 2e9);
  EXPECT_EQ(monitor_.differences(), "");
  EXPECT_EQ(monitor_.lasts_s(cluster_, now_), kInfinity);
}

TEST_F(MonitorTest, ShowsWhatEachDeviceHasSaidLast) {
  hear("a", tokens(1));
  WorkReport report = tokens(4);
  report.queued = 3;
  report.telemetry = {1e9, 41.5, -1, 0.5};
  hear("a", report);
  const auto views = monitor_.devices();
  ASSERT_EQ(views.size(), 1U) << "b has not reported";
  EXPECT_NEAR(views.at("a").tokens, 0.25, 0.01);
  EXPECT_EQ(views.at("a").queued, 3);
  EXPECT_EQ(views.at("a").telemetry.temperature_c, 41.5);
  EXPECT_THAT(monitor_.links(), IsEmpty());
  report = tokens(1);
  report.links = {{"b", 10, 1e6, 1.02}};
  hear("a", report, 4);
  EXPECT_THAT(monitor_.links(), IsEmpty()) << "nothing to hold it against yet";
  hear("a", report, 1);
  EXPECT_EQ(monitor_.links().at({"b", "a"}), 1);
  report.links[0].seconds = 2.02;
  hear("a", report);
  ASSERT_EQ(monitor_.links().size(), 1U);
  EXPECT_NEAR(monitor_.links().at({"b", "a"}), 0.5, 0.01);
}

TEST_F(MonitorTest, TellsPromptsFromTokens) {
  hear("a", prompts(4));
  hear("a", tokens(2));
  const ClusterSpec present = monitor_.present();
  EXPECT_NEAR(present.device("a").flops_per_s, 1e9 / 4, 1e6);
  EXPECT_NEAR(present.device("a").memory_bytes_per_s, 2e9 / 2, 1e6);
  EXPECT_NEAR(present.device("a").overhead.count(), 0.002, 1e-5);
  EXPECT_EQ(present.device("b").flops_per_s, 1e9);
  EXPECT_EQ(monitor_.differences(), "a 2.00x (prompts 4.00x) the time planned with");
}

TEST_F(MonitorTest, WhatIsKnownOfTheOneIsTakenForTheOther) {
  hear("b", tokens(3));
  EXPECT_NEAR(monitor_.present().device("b").flops_per_s, 1e9 / 3, 1e6);
}

TEST_F(MonitorTest, ALinkIsHeldAgainstItsFirstReports) {
  const auto link = [](double seconds) {
    WorkReport report = tokens(1);
    report.links = {{"a", 1, 1e5, seconds}};
    return report;
  };
  hear("b", link(0.25), 20);  // two and a half times as long as alone: others are on the way
  EXPECT_EQ(monitor_.present().link("a", "b").bytes_per_s, 1e6);
  hear("b", link(0.5), 20);
  EXPECT_NEAR(monitor_.present().link("a", "b").bytes_per_s, 0.5e6, 2e4);
  EXPECT_EQ(monitor_.present().link("b", "a").bytes_per_s, 1e6);
}

// The messages of prompts go together and share the link; a token's, a thousandth as large, are alone.
TEST_F(MonitorTest, ALinkIsNoFasterBecauseItsMessagesAreAlone) {
  WorkReport prompts = tokens(1);
  prompts.links = {{"a", 4, 4e6, 12}};  // three times as long as alone
  WorkReport alone = tokens(1);
  alone.links = {{"a", 1, 4e3, 0.006}};
  for (int turn = 0; turn < 3; ++turn) {
    hear("b", prompts);
    EXPECT_EQ(monitor_.present().link("a", "b").bytes_per_s, 1e6);
    hear("b", alone);
    EXPECT_EQ(monitor_.present().link("a", "b").bytes_per_s, 1e6);
  }
  prompts.links[0].seconds = 4;  // no two at once any more
  hear("b", prompts, 20);
  EXPECT_EQ(monitor_.present().link("a", "b").bytes_per_s, 1e6);
  prompts.links[0].seconds = 2;
  hear("b", prompts, 20);
  EXPECT_NEAR(monitor_.present().link("a", "b").bytes_per_s, 2e6, 1e5);
}

TEST_F(MonitorTest, WhatHasChangedAgainAndAgainIsTakenToDoSoOnceMore) {
  const auto link_of = [](double seconds) {
    WorkReport report = tokens(1);
    report.links = {{"a", 1, 1e5, seconds}};
    return report;
  };
  for (int turn = 0; turn < 4; ++turn) {  // a link comes and goes
    hear("b", link_of(turn % 2 == 0 ? 0.2 : 0.12));
  }
  hear("a", tokens(3));
  EXPECT_EQ(monitor_.lasts_s(cluster_, now_), kInfinity) << "a has changed once, and most";
  for (int turn = 0; turn < 4; ++turn) hear("a", tokens(turn % 2 == 0 ? 1 : 3));
  EXPECT_NEAR(monitor_.lasts_s(cluster_, now_), 200, 50) << "twice the hundred seconds it takes";
  // It has been at 1 and at 3 for as long.
  EXPECT_NEAR(2e9 / monitor_.usual(now_).device("a").memory_bytes_per_s, 2, 0.3);
  EXPECT_NEAR(monitor_.present().device("a").memory_bytes_per_s, 2e9 / 3, 1e7);
}

TEST_F(MonitorTest, WhatGoesOnInTheSameDirectionHasNotTurnedBack) {
  for (const double slowness : {1.0, 2.0, 3.0, 4.0}) hear("a", tokens(slowness));
  EXPECT_EQ(monitor_.lasts_s(cluster_, now_), kInfinity);
  EXPECT_EQ(monitor_.usual(now_).device("a").memory_bytes_per_s,
            monitor_.present().device("a").memory_bytes_per_s);
  hear("a", tokens(2));
  EXPECT_LT(monitor_.lasts_s(cluster_, now_), kInfinity);
}

TEST_F(MonitorTest, WhatCannotBeIsNotUsed) {
  const auto refused = [&](const WorkReport& report) {
    for (int i = 0; i < 10; ++i) {
      now_ += Seconds(10);
      EXPECT_THAT(monitor_.take("a", report, now_), ::testing::Not(IsEmpty()));
    }
  };
  for (const double seconds : {-1.0, 0.0, kNan, kInfinity, -kInfinity, 1e300}) {
    refused({1, {}, {4, 0.1, seconds}, {}, 0, {}});
    refused({1, {4, 0.1, seconds}, {}, {}, 0, {}});
    refused({1, {}, {4, seconds, 0.1}, {}, 0, {}});
  }
  refused({1, {}, {-1, 0.1, 0.1}, {}, 0, {}});
  refused({1, {}, {4, 0.1, 11}, {}, 0, {}});  // in ten seconds
  for (const double value : {-1.0, 0.0, kNan, kInfinity}) {
    WorkReport report = tokens(1);
    report.links = {{"b", 1, value, 0.1},
                    {"b", 1, 100, value},
                    {"nobody", 1, 100, 0.1},
                    {"a", 1, 100, 0.1},
                    {"b", -3, 100, 0.1}};
    hear("a", report);
  }
  EXPECT_EQ(monitor_.differences(), "");
  EXPECT_EQ(monitor_.present().links.size(), 0U);
  EXPECT_THAT(monitor_.take("nobody", tokens(1), now_), HasSubstr("not in the cluster"));
}

TEST_F(MonitorTest, SaysWhatCannotBe) {
  now_ = Seconds(2);
  EXPECT_EQ(monitor_.take("a", {1, {}, {4, 0.1, 3}, {}, 0, {}}, now_),
            "tokens took 3.000 s in a time of 2.000 s");
}

}  // namespace
}  // namespace lingua
