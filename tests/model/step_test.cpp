#include "runtime/model/step.h"

#include <gtest/gtest.h>

#include "runtime/base/errors.h"
#include "runtime/base/random.h"

namespace lingua {
namespace {

std::vector<double> sampled(const StepFunction& function) {
  std::vector<double> samples;
  for (const Step& step : fit_steps()) samples.push_back(function.at(step));
  return samples;
}

TEST(StepFunction, IsAPolynomialOfNewAndCachedTokens) {
  const StepFunction f({1, 10, 100, 1000, 10000, 100000});
  EXPECT_EQ(f.at({2, 3}), 1 + 20 + 300 + 4000 + 60000 + 900000);
  EXPECT_EQ(f.at({1, 0}), 1011);
  EXPECT_EQ(StepFunction(7.0).at({5, 5}), 7);
  EXPECT_EQ(StepFunction().at({5, 5}), 0);
}

TEST(StepFunction, AddsAndScales) {
  const StepFunction n({0, 1, 0, 0, 0, 0});
  const StepFunction p({0, 0, 1, 0, 0, 0});
  EXPECT_EQ(n + p * 3 + 2.0, StepFunction({2, 1, 3, 0, 0, 0}));
  EXPECT_TRUE(StepFunction(3.0).is_constant());
  EXPECT_FALSE((n + 3.0).is_constant());
}

TEST(StepFunction, ReadsLikeAFormula) {
  EXPECT_EQ(StepFunction({1.2e6, 4096, 0, 0, 8192, 0}).to_string(), "1.2e+06 + 4096 n + 8192 n p");
  EXPECT_EQ(StepFunction({0, 0, 1, 2, 0, 3}).to_string(), "1 p + 2 n^2 + 3 p^2");
  EXPECT_EQ(StepFunction().to_string(), "0");
}

TEST(Fit, FindsTheIntegerCoefficientsExactly) {
  Rng rng(1);
  for (int round = 0; round < 200; ++round) {
    std::array<double, 6> c{};
    for (double& x : c) x = rng.uniform() < 0.4 ? 0.0 : static_cast<double>(rng.below(1'000'000));
    StepFunction found;
    ASSERT_TRUE(fit(sampled(StepFunction(c)), &found));
    EXPECT_EQ(found, StepFunction(c)) << found.to_string();
  }
}

TEST(Fit, FindsHalves) {
  const StepFunction triangle({0, 0.5, 0, 0.5, 1, 0});  // the masked half of n (n + p)
  StepFunction found;
  ASSERT_TRUE(fit(sampled(triangle), &found));
  EXPECT_EQ(found, triangle);
}

TEST(Fit, FindsTheCountsOfALargeModelExactly) {
  const StepFunction flops({513802240, 603979776, 0, 98304, 98304, 0});
  StepFunction found;
  ASSERT_TRUE(fit(sampled(flops), &found));
  EXPECT_EQ(found, flops) << found.to_string();
}

TEST(Fit, RefusesSamplesThatNoSuchFunctionGives) {
  std::vector<double> cubes;
  std::vector<double> steps;
  for (const Step& step : fit_steps()) {
    const auto n = static_cast<double>(step.new_tokens);
    cubes.push_back(n * n * n);
    steps.push_back(step.cached_tokens > 5 ? 1 : 0);
  }
  StepFunction found;
  EXPECT_FALSE(fit(cubes, &found));
  EXPECT_FALSE(fit(steps, &found));
}

TEST(Fit, SeesOneWrongSample) {
  const StepFunction f({3, 5, 7, 0, 11, 0});
  for (std::size_t i = 0; i < fit_steps().size(); ++i) {
    auto samples = sampled(f);
    samples[i] += 1;
    StepFunction found;
    EXPECT_FALSE(fit(samples, &found)) << "sample " << i;
  }
}

TEST(Fit, NeedsASampleForEveryStep) {
  StepFunction found;
  EXPECT_THROW(fit({1, 2, 3}, &found), BugError);
}

}  // namespace
}  // namespace lingua
