#include "runtime/schedule/schedule.h"

#include <gtest/gtest.h>

namespace lingua {
namespace {

TEST(NextStep, TakesWhatHasWaitedLongest) {
  EXPECT_EQ(next_step({{1, 1, 0, Seconds(3)}, {1, 2, 5, Seconds(1)}, {1, 3, 0, Seconds(2)}}), 1U);
}

TEST(NextStep, TakesTheOlderRequestAmongEquals) {
  EXPECT_EQ(next_step({{1, 4, 0, Seconds(1)}, {2, 2, 9, Seconds(1)}}), 1U);
}

TEST(Admissions, FillThePipelineAndNoMore) {
  EXPECT_EQ(admissions(10, 0, 4), 4);
  EXPECT_EQ(admissions(10, 3, 4), 1);
  EXPECT_EQ(admissions(2, 0, 4), 2);
  EXPECT_EQ(admissions(5, 4, 4), 0);
  EXPECT_EQ(admissions(5, 6, 4), 0);
}

}  // namespace
}  // namespace lingua
