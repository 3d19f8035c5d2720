#include "runtime/predict/mean_value.h"

#include <gtest/gtest.h>

#include <cmath>

#include "runtime/planner/search/moves.h"
#include "runtime/predict/estimated_value.h"
#include "tests/planner/random_instance.h"

namespace lingua {
namespace {

using testing::Instance;
using testing::Paths;
using testing::random_instance;

using Chain = std::vector<Run>;

PlanRequest request_of(const Instance& instance, int in_flight) {
  PlanRequest request = instance.request(Objective::kThroughput);
  request.workload = {
      .prompt_tokens = 4, .max_tokens = 8, .in_flight = in_flight, .requests = 10 * in_flight};
  return request;
}

// Chains that moves by chance lead to.
template <typename Use>
void for_chains(const PlanCosts& costs, const Use& use) {
  Rng rng(1);
  Chain chain = {{0, 0, costs.segments() - 1}};
  for (int move = 0; move < 60; ++move) {
    Chain next = random_move(costs, chain, rng);
    if (next.empty()) continue;
    chain = std::move(next);
    use(chain);
  }
}

TEST(Prediction, OfOneRequestAloneIsItsLatency) {
  for (int seed = 1; seed <= 10; ++seed) {
    const Instance instance = random_instance(seed, Paths::kChain);
    const PlanRequest request = request_of(instance, 1);
    const PlanCosts costs(request);
    for_chains(costs, [&](const Chain& chain) {
      EXPECT_NEAR(predicted_request_s(costs, chain) / costs.latency(chain), 1, 1e-9);
    });
  }
}

// The play of all requests is the oracle. What bounds it says more than nothing, and half as much.
TEST(Prediction, IsNearWhatIsPlayed) {
  double sum = 0;
  double sum_of_bounds = 0;
  int count = 0;
  for (int seed = 1; seed <= 20; ++seed) {
    const Instance instance = random_instance(seed, Paths::kChain);
    const PlanRequest request = request_of(instance, 6);
    const PlanCosts costs(request);
    for_chains(costs, [&](const Chain& chain) {
      const double played_s = estimated_value(costs, chain) / costs.busy_price();
      const double predicted_s = predicted_request_s(costs, chain);
      EXPECT_GE(predicted_s, costs.bottleneck(chain));
      const auto off_by = [&](double guess_s) { return std::abs(std::log(played_s / guess_s)); };
      const double off = off_by(predicted_s);
      EXPECT_LT(off, std::log(1.5)) << seed;
      sum += off;
      sum_of_bounds += off_by(costs.objective(chain) / costs.busy_price());
      ++count;
    });
  }
  EXPECT_GT(count, 300);
  EXPECT_LT(sum / count, 0.05);
  EXPECT_LT(sum, 0.6 * sum_of_bounds);
}

TEST(PredictionRecord, ExcludesWhatWouldTakeLongerByItsPlays) {
  PredictionRecord record;
  for (int play = 0; play < 19; ++play) {
    record.add(play % 2 == 0 ? 1.29 : 1.31, 1);
    EXPECT_FALSE(record.excludes(2, 1));
  }
  record.add(1.3, 1);
  EXPECT_TRUE(record.excludes(1, 1.25));
  EXPECT_FALSE(record.excludes(1, 1.29));
  EXPECT_FALSE(record.excludes(0.9, 1.25));
  for (int play = 0; play < 400; ++play) record.add(1, 1);  // other chains now
  EXPECT_FALSE(record.excludes(1, 1.05));
  EXPECT_TRUE(record.excludes(1, 0.95));
}

}  // namespace
}  // namespace lingua
