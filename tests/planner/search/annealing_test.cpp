#include "runtime/planner/search/annealing.h"

#include <gtest/gtest.h>

#include "runtime/planner/named/simple_plans.h"
#include "runtime/predict/estimated_value.h"
#include "tests/planner/all_chains.h"
#include "tests/planner/random_instance.h"

namespace lingua {
namespace {

using testing::Instance;
using testing::Paths;
using testing::random_instance;

using Chain = std::vector<Run>;

TEST(ImproveChain, FindsTheBestOfAllChainsFromAnyOfThem) {
  int planned = 0;
  for (int seed = 1; seed <= 5; ++seed) {
    Instance instance = random_instance(seed, Paths::kResidual);
    instance.workload.in_flight = 3;
    instance.workload.requests = 9;
    const PlanRequest request = instance.request(Objective::kThroughput);
    const PlanCosts costs(request);
    double best = kNoLimit;
    Chain any;
    testing::AllChains(costs, [&](const Chain& chain) {
      best = std::min(best, estimated_value(costs, chain));
      any = chain;
    });
    if (any.empty()) continue;
    EXPECT_NEAR(estimated_value(costs, improve_chain(costs, any, simple_plans)) / best, 1, 1e-9)
        << seed;
    ++planned;
  }
  EXPECT_GT(planned, 2);
}

}  // namespace
}  // namespace lingua
