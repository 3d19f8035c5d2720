#include "runtime/base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
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

// Against its distribution function 1 - exp(-x), by Kolmogorov and Smirnov: a true exponential
// exceeds 1.95 / sqrt(n) in one of a thousand seeds.
TEST(Rng, ExponentialIsDistributedAsOne) {
  Rng rng(4);
  std::vector<double> values;
  for (int i = 0; i < 100'000; ++i) values.push_back(rng.exponential());
  std::sort(values.begin(), values.end());
  const auto count = static_cast<double>(values.size());
  double distance = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double expected = -std::expm1(-values[i]);
    distance = std::max({distance, std::abs(expected - static_cast<double>(i) / count),
                         std::abs(expected - static_cast<double>(i + 1) / count)});
  }
  EXPECT_LT(distance, 1.95 / std::sqrt(count));
  EXPECT_GE(values.front(), 0);
}

// Values of Python's integers and doubles, which are IEEE 754's: the algorithm written down again there.
TEST(Rng, ExponentialIsTheSameToTheLastBit) {
  Rng rng(5);
  for (const double expected : {0x1.8c0cec328e270p-2, 0x1.616f9630b0074p+0, 0x1.39f24f7aae4a6p+1,
                                0x1.1d67c34f6a2a3p+0, 0x1.70ce1a98856ccp-3}) {
    EXPECT_EQ(rng.exponential(), expected);
  }
}

}  // namespace
}  // namespace lingua
