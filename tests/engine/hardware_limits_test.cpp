#include "runtime/engine/hardware_limits.h"

#include <gtest/gtest.h>

namespace lingua {
namespace {

Telemetry with(double temperature_c, double battery) { return {1e9, temperature_c, battery, 0}; }

TEST(HardwareLimits, ADeviceLeavesBelowItsFloorOrAboveItsHeat) {
  HardwareLimits limits;
  EXPECT_FALSE(limits.any());
  EXPECT_EQ(reason_to_leave(limits, with(200, 0)), "");
  limits.battery_floor = 0.1;
  limits.heat_limit_c = 45;
  EXPECT_TRUE(limits.any());
  EXPECT_EQ(reason_to_leave(limits, with(45, 0.1)), "");
  EXPECT_EQ(reason_to_leave(limits, with(45, 0.09)), "battery at 9 %, floor 10 %");
  EXPECT_EQ(reason_to_leave(limits, with(45.5, 1)), "temperature 45.5 C, limit 45 C");
}

TEST(HardwareLimits, ItComesBackFiveAway) {
  const HardwareLimits limits{0.1, 45};
  EXPECT_EQ(reason_to_stay_away(limits, with(30, 0.14)), "battery at 14 %, it joins from 15 %");
  EXPECT_EQ(reason_to_stay_away(limits, with(30, 0.15)), "");
  EXPECT_EQ(reason_to_stay_away(limits, with(40.5, 0.5)),
            "temperature 40.5 C, it joins up to 40 C");
  EXPECT_EQ(reason_to_stay_away(limits, with(40, 0.5)), "");
  EXPECT_EQ(reason_to_stay_away({0.98, {}}, with(30, 1)), "") << "no battery holds more";
}

TEST(HardwareLimits, WhatIsNotKnownKeepsNobody) {
  const HardwareLimits limits{0.9, 10};
  EXPECT_EQ(reason_to_leave(limits, with(0, -1)), "");
  EXPECT_EQ(reason_to_stay_away(limits, with(0, -1)), "");
}

}  // namespace
}  // namespace lingua
