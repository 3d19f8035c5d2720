#include "runtime/predict/step_sum.h"

#include <gtest/gtest.h>

#include "runtime/device/roofline.h"
#include "tests/planner/random_instance.h"

namespace lingua {
namespace {

TEST(SumOverSteps, IsTheSumOfALongGenerationWithItsKinks) {
  for (int seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    Segment segment = testing::random_segmentation(2, testing::Paths::kChain, rng).segments[0];
    DeviceSpec device = testing::random_cluster(1, 1e9, 1, rng).devices[0];
    const Workload workload{.prompt_tokens = 7, .max_tokens = 900, .kv_cache = seed % 2 == 0};
    // Compute and memory traffic cross somewhere in the generation.
    const std::vector<Step> steps = steps_of(workload);
    const Step& crossing = steps[1 + rng.below(steps.size() - 1)];
    device.memory_bytes_per_s =
        segment.bytes_moved.at(crossing) / (segment.flops.at(crossing) / device.flops_per_s);
    const auto time = [&](const Step& step) { return compute_time(segment, device, step).count(); };
    double plain = 0;
    for (const Step& step : steps) plain += time(step);
    EXPECT_NEAR(sum_over_steps(steps, time) / plain, 1, 1e-9);
  }
}

TEST(SumOverSteps, LooksAtFewOfTheStepsOfASmoothGeneration) {
  const std::vector<Step> steps = steps_of({.prompt_tokens = 3, .max_tokens = 10'000});
  int calls = 0;
  const double sum = sum_over_steps(steps, [&](const Step& step) {
    ++calls;
    return 2.0 + 0.5 * static_cast<double>(step.cached_tokens);
  });
  EXPECT_LT(calls, 20);
  double plain = 0;
  for (const Step& step : steps) plain += 2.0 + 0.5 * static_cast<double>(step.cached_tokens);
  EXPECT_NEAR(sum / plain, 1, 1e-12);
}

}  // namespace
}  // namespace lingua
