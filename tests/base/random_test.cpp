#include "runtime/base/random.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace lingua {
namespace {

std::vector<std::uint64_t> numbers(std::uint64_t seed, int count) {
  Rng rng(seed);
  std::vector<std::uint64_t> result;
  for (int i = 0; i < count; ++i) result.push_back(rng.next());
  return result;
}

TEST(Rng, RepeatsItselfForASeedAndDiffersForAnother) {
  EXPECT_EQ(numbers(42, 100), numbers(42, 100));
  EXPECT_NE(numbers(42, 100), numbers(43, 100));
}

TEST(Rng, IsSplitMix64) {
  // The first numbers of the reference implementation for seed 1234567.
  const std::vector<std::uint64_t> expected = {6457827717110365317ULL, 3203168211198807973ULL,
                                               9817491932198370423ULL, 4593380528125082431ULL,
                                               16408922859458223821ULL};
  EXPECT_EQ(numbers(1234567, 5), expected);
}

TEST(Rng, UniformFillsItsIntervalAndStaysInside) {
  Rng rng(1);
  std::array<int, 10> bins{};
  for (int i = 0; i < 100'000; ++i) {
    const double x = rng.uniform(-2, 3);
    ASSERT_GE(x, -2);
    ASSERT_LT(x, 3);
    ++bins[static_cast<std::size_t>((x + 2) * 2)];
  }
  for (int count : bins) EXPECT_NEAR(count, 10'000, 500);
}

TEST(Rng, BelowReachesEveryNumberUnderTheBoundAndNoOther) {
  Rng rng(2);
  std::array<int, 7> seen{};
  for (int i = 0; i < 7'000; ++i) ++seen.at(rng.below(7));
  for (int count : seen) EXPECT_NEAR(count, 1'000, 200);
  EXPECT_EQ(rng.below(1), 0u);
}

TEST(Rng, NormalHasMeanZeroAndVarianceOne) {
  Rng rng(3);
  constexpr int kCount = 200'000;
  double sum = 0;
  double squares = 0;
  for (int i = 0; i < kCount; ++i) {
    const double x = rng.normal();
    ASSERT_TRUE(std::isfinite(x));
    sum += x;
    squares += x * x;
  }
  EXPECT_NEAR(sum / kCount, 0, 0.01);
  EXPECT_NEAR(squares / kCount, 1, 0.02);
}

}  // namespace
}  // namespace lingua
