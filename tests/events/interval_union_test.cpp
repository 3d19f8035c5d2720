#include "runtime/events/interval_union.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "runtime/base/random.h"

namespace lingua {
namespace {

constexpr Seconds kFrom{-1e9};
constexpr Seconds kTo{1e9};

TEST(IntervalUnion, CoversNothingAtFirstAndByWhatHasNoLength) {
  IntervalUnion covered;
  EXPECT_EQ(covered.length_s(kFrom, kTo), 0);
  covered.add(Seconds(3), Seconds(3));
  covered.add(Seconds(3), Seconds(2));
  EXPECT_EQ(covered.length_s(kFrom, kTo), 0);
}

TEST(IntervalUnion, CountsWhatIsCoveredTwiceOnce) {
  IntervalUnion covered;
  covered.add(Seconds(1), Seconds(2));
  covered.add(Seconds(5), Seconds(7));
  covered.add(Seconds(1.5), Seconds(4));
  covered.add(Seconds(0), Seconds(1));
  covered.add(Seconds(6), Seconds(6.5));
  EXPECT_EQ(covered.length_s(kFrom, kTo), 6);
  EXPECT_EQ(covered.length_s(Seconds(0.5), Seconds(6)), 4.5);
  EXPECT_EQ(covered.length_s(Seconds(4), Seconds(5)), 0);
}

// More than are kept unsorted, against a list of ticks.
TEST(IntervalUnion, OfMany) {
  constexpr int kTicks = 100'000;
  Rng rng(3);
  for (const int longest : {2, 9, 300}) {
    for (const bool in_order : {true, false}) {
      IntervalUnion covered;
      std::vector<char> ticks(kTicks + 300);
      for (int i = 0; i < 30'000; ++i) {
        const int start = in_order ? 3 * i : static_cast<int>(rng.uniform(0, kTicks));
        const int end = start + static_cast<int>(rng.uniform(0, longest));
        covered.add(Seconds(start), Seconds(end));
        std::fill(ticks.begin() + start, ticks.begin() + end, 1);
        if (i % 7'000 == 6'999) {
          EXPECT_EQ(covered.length_s(Seconds(0), Seconds(kTicks + 300)),
                    std::count(ticks.begin(), ticks.end(), 1));
        }
      }
      EXPECT_EQ(covered.length_s(Seconds(1'000), Seconds(50'000)),
                std::count(ticks.begin() + 1'000, ticks.begin() + 50'000, 1));
    }
  }
}

TEST(IntervalUnion, IsTheSameToTheLastBitInAnotherOrder) {
  Rng rng(4);
  std::vector<std::pair<double, double>> intervals;
  for (int i = 0; i < 10'000; ++i) {
    const double start = rng.uniform(0, 1000);
    intervals.emplace_back(start, start + rng.uniform(0, 0.1));
  }
  const auto length = [&] {
    IntervalUnion covered;
    for (const auto& [start, end] : intervals) covered.add(Seconds(start), Seconds(end));
    return covered.length_s(Seconds(10), Seconds(990));
  };
  const double before = length();
  for (int i = 0; i < 3; ++i) {
    for (std::size_t n = intervals.size(); n > 1; --n)
      std::swap(intervals[n - 1], intervals[rng.below(n)]);
    EXPECT_EQ(length(), before);
  }
}

}  // namespace
}  // namespace lingua
