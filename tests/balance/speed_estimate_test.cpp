#include "runtime/balance/speed_estimate.h"

#include <gtest/gtest.h>

#include <cmath>

#include "runtime/base/random.h"

namespace lingua {
namespace {

// Of mean 0 and standard deviation 1: twelve uniform numbers, as of old.
double bell(Rng& rng) {
  double sum = -6;
  for (int i = 0; i < 12; ++i) sum += rng.uniform(0, 1);
  return sum;
}

double noisy(double slowness, double share, Rng& rng) {
  return slowness * std::exp(share * bell(rng));
}

TEST(SpeedEstimate, IsWhatWasPlannedWithUntilSamplesContradict) {
  SpeedEstimate speed;
  EXPECT_EQ(speed.slowness(), 1);
  EXPECT_EQ(speed.samples(), 0);
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(speed.take(1));
  EXPECT_EQ(speed.slowness(), 1);
}

TEST(SpeedEstimate, NoiseOfTenPerCentChangesNothingIn10000Samples) {
  int changes = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Rng rng(seed);
    SpeedEstimate speed;
    for (int i = 0; i < 10'000; ++i) changes += speed.take(noisy(1, 0.1, rng));
  }
  EXPECT_LE(changes, 3) << "of 200,000 samples";
}

TEST(SpeedEstimate, OneOutlierOrTwoChangeNothing) {
  SpeedEstimate speed;
  for (int i = 0; i < 200; ++i) EXPECT_FALSE(speed.take(i == 50 || i == 100 || i == 101 ? 50 : 1));
  EXPECT_EQ(speed.slowness(), 1);
}

TEST(SpeedEstimate, AChangeIsFoundSoonAndItsSizeIsRight) {
  for (const double slowness : {0.4, 0.7, 1.3, 1.6, 3.0, 20.0}) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      Rng rng(seed);
      SpeedEstimate speed;
      for (int i = 0; i < 200; ++i) speed.take(noisy(1, 0.1, rng));
      int samples = 1;
      while (!speed.take(noisy(slowness, 0.1, rng))) ++samples;
      EXPECT_LE(samples, std::abs(std::log(slowness)) < 0.4 ? 15 : 5) << slowness;
      EXPECT_NEAR(speed.slowness() / slowness, 1, 0.2) << slowness;
      for (int i = 0; i < 30; ++i) speed.take(noisy(slowness, 0.1, rng));
      EXPECT_NEAR(speed.slowness() / slowness, 1, 0.08) << slowness;
    }
  }
}

TEST(SpeedEstimate, ComesBackWhenTheChangeIsOver) {
  Rng rng(5);
  SpeedEstimate speed;
  for (int i = 0; i < 50; ++i) speed.take(noisy(3, 0.05, rng));
  EXPECT_NEAR(speed.slowness(), 3, 0.2);
  for (int i = 0; i < 50; ++i) speed.take(noisy(1, 0.05, rng));
  EXPECT_NEAR(speed.slowness(), 1, 0.05);
}

}  // namespace
}  // namespace lingua
