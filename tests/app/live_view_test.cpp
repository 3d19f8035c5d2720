#include "runtime/app/live_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lingua {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class LiveViewTest : public ::testing::Test {
 protected:
  LiveViewTest() {
    cluster_.name = "test";
    cluster_.default_link = {1e6, Seconds(0)};
    cluster_.devices = {{"anna", 1e9, 1e9, 1e9, 1, Seconds(0)},
                        {"ben", 1e9, 1e9, 1e9, 1, Seconds(0)}};
    view_.begin({"anna", "ben", "it \"is\" me"});
  }
  // A dozen reports of tokens that take so much longer than planned.
  void report(const DeviceName& device, double slowness, const Telemetry& telemetry) {
    for (int i = 0; i < 12; ++i) {
      now_ += Seconds(10);
      monitor_.take(device, {1, {}, {4, 0.1, 0.1 * slowness}, {{"anna", 1, 1e6, 1}}, 2, telemetry},
                    now_);
    }
    view_.measured(monitor_);
  }

  ClusterSpec cluster_;
  Monitor monitor_{cluster_};
  LiveView view_;
  Seconds now_{0};
};

TEST_F(LiveViewTest, CountsFromTheBeginningOfTheService) {
  EXPECT_THAT(view_.metrics(),
              AllOf(HasSubstr("# TYPE lingua_epoch gauge\nlingua_epoch 0\n"),
                    HasSubstr("\nlingua_device_present{device=\"it \\\"is\\\" me\"} 1\n"),
                    Not(HasSubstr("_speed")), Not(HasSubstr("battery"))));
  view_.changed({7, 2, 1, 3, {"ben"}});
  EXPECT_THAT(view_.metrics(),
              AllOf(HasSubstr("\nlingua_epoch 7\n"), HasSubstr("\nlingua_moves_total 2\n"),
                    HasSubstr("\nlingua_failed_moves_total 1\n"),
                    HasSubstr("\nlingua_recoveries_total 3\n"),
                    HasSubstr("\nlingua_device_present{device=\"anna\"} 1\n"),
                    HasSubstr("\nlingua_device_present{device=\"ben\"} 0\n")));
  view_.end();
  EXPECT_THAT(view_.metrics(),
              AllOf(HasSubstr("\nlingua_epoch 0\n"), HasSubstr("\nlingua_moves_total 2\n"),
                    HasSubstr("present{device=\"anna\"} 0\n")));
  view_.begin({"anna"});
  view_.changed({1, 1, 0, 0, {}});
  EXPECT_THAT(view_.metrics(),
              AllOf(HasSubstr("\nlingua_moves_total 3\n"),
                    HasSubstr("\nlingua_failed_moves_total 1\n"), Not(HasSubstr("ben"))));
}

TEST_F(LiveViewTest, ShowsSpeedsQueuesAndWhatIsKnownOfTheHardware) {
  report("anna", 1, {1e9, 0, -1, 0});  // neither temperature nor battery is known
  report("ben", 4, {1e9, 38.5, 0.62, 0});
  const std::string text = view_.metrics();
  EXPECT_THAT(
      text,
      AllOf(HasSubstr("\nlingua_device_token_speed{device=\"anna\"} 1\n"),
            HasSubstr("\nlingua_device_token_speed{device=\"ben\"} 0.25"),
            HasSubstr("\nlingua_device_queued_steps{device=\"ben\"} 2\n"),
            HasSubstr("celsius gauge\nlingua_device_temperature_celsius{device=\"ben\"} 38.5\n"),
            HasSubstr("ratio gauge\nlingua_device_battery_ratio{device=\"ben\"} 0.62\n"),
            HasSubstr("\nlingua_link_speed{from=\"anna\",to=\"ben\"} 1\n")));
  EXPECT_THAT(text, AllOf(Not(HasSubstr("celsius{device=\"anna")),
                          Not(HasSubstr("battery_ratio{device=\"anna"))));
  view_.changed({1, 0, 0, 0, {"ben"}});
  EXPECT_THAT(view_.metrics(), AllOf(HasSubstr("token_speed{device=\"anna"),
                                     Not(HasSubstr("token_speed{device=\"ben"))))
      << "who is gone has no speed";
}

TEST_F(LiveViewTest, WhatCannotBeIsNotShown) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  report("anna", 1, {1e9, nan, 7, 0});
  report("ben", 1, {1e9, 20, nan, 0});
  EXPECT_THAT(view_.metrics(), AllOf(Not(HasSubstr("battery")), Not(HasSubstr("nan")),
                                     Not(HasSubstr("celsius{device=\"anna")),
                                     HasSubstr("celsius{device=\"ben\"} 20\n")));
}

TEST_F(LiveViewTest, TheStatusNamesWhoIsSlowerAndHowOftenThePlanMoved) {
  EXPECT_EQ(status_text(12, 0, view_), "12 tokens");
  report("anna", 1.04, {});
  EXPECT_EQ(status_text(12, 3.14159, view_), "12 tokens, 3.14 tokens/s");
  report("ben", 2.9, {});
  view_.changed({2, 1, 0, 0, {}});
  EXPECT_EQ(status_text(40, 8, view_), "40 tokens, 8 tokens/s, ben 2.9x slower, 1 move");
  view_.changed({3, 2, 0, 0, {"ben"}});
  EXPECT_EQ(view_.status(), "2 moves");
}

TEST(TokenRate, IsThatOfTheLastSeconds) {
  TokenRate rate;
  EXPECT_EQ(rate.per_s(Seconds(100)), 0);
  for (int i = 0; i <= 10; ++i) rate.made(Seconds(100 + 0.1 * i));
  EXPECT_EQ(rate.per_s(Seconds(101)), 0) << "too little to tell by";
  for (int i = 11; i <= 100; ++i) rate.made(Seconds(100 + 0.1 * i));
  EXPECT_NEAR(rate.per_s(Seconds(110)), 10, 0.2);
  for (int i = 1; i <= 5; ++i) rate.made(Seconds(110 + 2 * i));
  EXPECT_NEAR(rate.per_s(Seconds(120)), 0.5, 0.01) << "the fast ones are long ago";
  EXPECT_NEAR(rate.per_s(Seconds(130)), 0.08, 0.01) << "and none came lately";
}

}  // namespace
}  // namespace lingua
