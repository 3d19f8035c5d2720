#include "runtime/predict/request_steps.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace lingua {
namespace {

// 64 lengths from 10 to 640, all as often: eight kinds.
TEST(RequestSteps, TakesNeighbouringLengthsForOneWhereThereAreMany) {
  Workload workload{.prompt_tokens = 640, .max_tokens = 4, .requests = 1000};
  for (int i = 0; i < 64; ++i) workload.prompt_lengths.push_back(10 * (1 + (i * 37) % 64));
  const RequestSteps steps(workload);
  EXPECT_EQ(steps.kinds().size(), kMostKinds);
  EXPECT_EQ(steps.count(), 4U);
  double share = 0;
  for (const RequestKind& kind : steps.kinds()) share += kind.share;
  EXPECT_NEAR(share, 1, 1e-12);
  double tokens = 0;
  double squares = 0;
  for (int r = 0; r < 1000; ++r) {
    const auto length = static_cast<double>(workload.prompt_length(r));
    tokens += length / 1000;
    squares += length * length / 1000;
  }
  const auto length = [](const Step& step) { return static_cast<double>(step.new_tokens); };
  EXPECT_NEAR(steps.first(length) / tokens, 1, 1e-3);
  const auto square = [&](const Step& step) { return length(step) * length(step); };
  EXPECT_NEAR(steps.first(square) / squares, 1, 0.01);
  const auto longest = static_cast<std::size_t>(std::distance(
      workload.prompt_lengths.begin(),
      std::max_element(workload.prompt_lengths.begin(), workload.prompt_lengths.end())));
  EXPECT_EQ(steps.turn()[longest], static_cast<int>(kMostKinds) - 1);
}

TEST(RequestSteps, RoundsAreWholeTurnsOfThoseInFlight) {
  Workload workload{.in_flight = 4, .requests = 100};
  EXPECT_EQ(round_of(workload), 4);
  workload.prompt_lengths = {1, 2, 3, 4, 5, 6};
  EXPECT_EQ(round_of(workload), 12);
  workload.requests = 7;
  EXPECT_EQ(round_of(workload), 7);
}

}  // namespace
}  // namespace lingua
