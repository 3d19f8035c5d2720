#include "runtime/engine/stall_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/device/device.h"

namespace lingua {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

const std::vector<DeviceName> kBoth = {"a", "b"};

Standing idle(std::int64_t sent, std::int64_t received) {
  return {false, sent, received, "waits for tensors"};
}

// One round in which both answer.
void round(StallWatch& watch, Seconds now, const Standing& a, const Standing& b) {
  ASSERT_TRUE(watch.look(now));
  watch.heard("a", a, now);
  watch.heard("b", b, now);
}

TEST(StallWatch, NeverAsksWithoutATimeout) {
  StallWatch watch(kBoth, kNever);
  watch.moved(Seconds(0));
  EXPECT_EQ(watch.next(), kNever);
  EXPECT_FALSE(watch.look(Seconds(1e9)));
  EXPECT_FALSE(watch.standstill(Seconds(1e9)).has_value());
}

TEST(StallWatch, AsksOnlyWhenNothingCame) {
  StallWatch watch(kBoth, Seconds(40));
  watch.moved(Seconds(0));
  EXPECT_FALSE(watch.look(Seconds(9)));
  watch.moved(Seconds(9));
  EXPECT_FALSE(watch.look(Seconds(18)));
  EXPECT_TRUE(watch.look(Seconds(19)));
  EXPECT_FALSE(watch.look(Seconds(20)));  // they have been asked
}

TEST(StallWatch, TwiceIdleWithNothingOnItsWayIsAStandstill) {
  StallWatch watch(kBoth, Seconds(40));
  watch.moved(Seconds(0));
  round(watch, Seconds(10), idle(3, 2), idle(2, 3));
  EXPECT_FALSE(watch.standstill(Seconds(10)).has_value());
  round(watch, Seconds(20), idle(3, 2), idle(2, 3));
  ASSERT_TRUE(watch.standstill(Seconds(20)).has_value());
  EXPECT_THAT(*watch.standstill(Seconds(20)),
              AllOf(HasSubstr("a waits for tensors"), HasSubstr("b waits for tensors")));
}

TEST(StallWatch, WorkAndMessagesOnTheirWayAreNone) {
  StallWatch watch(kBoth, Seconds(40));
  watch.moved(Seconds(0));
  double now = 0;
  for (int i = 0; i < 100; ++i) {
    now += 11;
    if (i % 2 == 0) {
      round(watch, Seconds(now), idle(3, 2), {true, 2, 3, "computes"});
    } else {
      round(watch, Seconds(now), idle(4, 2), idle(2, 3));  // one under way for long
    }
    ASSERT_FALSE(watch.standstill(Seconds(now)).has_value());
  }
}

TEST(StallWatch, WhatComesBetweenTwoRoundsStartsAgain) {
  StallWatch watch(kBoth, Seconds(40));
  watch.moved(Seconds(0));
  round(watch, Seconds(10), idle(1, 1), idle(1, 1));
  watch.moved(Seconds(11));
  round(watch, Seconds(21), idle(1, 1), idle(1, 1));
  EXPECT_FALSE(watch.standstill(Seconds(21)).has_value());
  round(watch, Seconds(31), idle(1, 1), idle(1, 1));
  EXPECT_TRUE(watch.standstill(Seconds(31)).has_value());
}

TEST(StallWatch, ADeviceThatNeverAnswersEndsTheRunOnlyWhenNothingElseMoves) {
  StallWatch watch(kBoth, Seconds(40));
  watch.moved(Seconds(0));
  ASSERT_TRUE(watch.look(Seconds(10)));
  watch.heard("a", idle(1, 1), Seconds(10));
  EXPECT_FALSE(watch.standstill(Seconds(49)).has_value());
  watch.moved(Seconds(49));
  EXPECT_FALSE(watch.standstill(Seconds(88)).has_value());
  EXPECT_EQ(watch.next(), Seconds(89));
  ASSERT_TRUE(watch.standstill(Seconds(89)).has_value());
  EXPECT_THAT(*watch.standstill(Seconds(89)), HasSubstr("b does not say what it does"));
}

}  // namespace
}  // namespace lingua
