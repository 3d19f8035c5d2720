#include "runtime/measure/arrivals.h"

#include <gtest/gtest.h>

namespace lingua {
namespace {

// A block each `gap_s`, from `begin_s`; the first ones come at once.
Arrivals blocks(double begin_s, double gap_s, double bytes, int count = 32, int at_once = 0) {
  Arrivals arrivals;
  arrivals.message_bytes = bytes;
  double time = begin_s;
  for (int i = 0; i < count; ++i) {
    arrivals.times_s.push_back(time);
    if (i >= at_once) time += gap_s;
  }
  return arrivals;
}

TEST(ArrivalsTest, HaveTheRateAtWhichTheyComeOnceBuffersAreFull) {
  EXPECT_NEAR(blocks(5, 0.01, 1e4).rate(), 1e6, 1);
  EXPECT_NEAR(blocks(5, 0.01, 1e4, 32, 6).rate(), 1e6, 1);
  EXPECT_NEAR(blocks(5, 0.01, 1e4).gap(), 0.01, 1e-9);
  EXPECT_NEAR(blocks(5, 0.01, 1e4).lasts(), 0.31, 1e-9);
}

TEST(ArrivalsTest, HaveAFiniteRateWhereAllComeAtOnce) {
  EXPECT_GT(blocks(5, 0, 1e4).rate(), 0);
  EXPECT_LT(blocks(5, 0, 1e4).rate(), 1e18);
}

TEST(ArrivalsTest, HaveTheSameRateInAllParts) {
  for (const double rate : blocks(5, 0.01, 1e4).rates()) EXPECT_NEAR(rate, 1e6, 1);
}

TEST(RateTogether, CountsTheTimeInWhichAllAreUnderWay) {
  EXPECT_NEAR(rate_together({blocks(5, 0.01, 1e4), blocks(5.02, 0.02, 1e4)}), 1.5e6, 1);
}

TEST(RateTogether, IsNothingOfThoseThatAreNotUnderWayAtOnce) {
  EXPECT_EQ(rate_together({blocks(5, 0.01, 1e4), blocks(6, 0.01, 1e4)}), 0);
}

}  // namespace
}  // namespace lingua
