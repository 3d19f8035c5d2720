// dp and cbc on many random problems that are too large to enumerate.

#include <gtest/gtest.h>

#include <optional>

#include "runtime/base/errors.h"
#include "runtime/planner/planner.h"
#include "runtime/predict/estimate.h"
#include "tests/planner/random_instance.h"

namespace lingua {
namespace {

using testing::Instance;

std::optional<Plan> plan_or_nothing(const std::string& planner, const PlanRequest& request) {
  try {
    return make_plan(planner, request);
  } catch (const InfeasibleError&) {
    return std::nullopt;
  }
}

// Up to 20 segments on 2 to 7 devices; memory, rules and residual paths as the seed has it.
Instance problem_of(int seed, const Objective& objective) {
  const auto paths = seed % 2 == 0 ? testing::Paths::kResidual : testing::Paths::kChain;
  Instance instance = testing::random_instance(10'000 + seed, paths, 20);
  Rng rng(seed);
  instance.cluster = testing::random_cluster(
      2 + static_cast<int>(rng.below(6)), testing::need_bytes(instance), rng.uniform(0.2, 1), rng);
  testing::give_power(instance.cluster, rng);
  if (rng.below(4) == 0) instance.rules = testing::random_rules(instance, rng);
  if (objective.tpot > 0) instance.workload.max_tokens += 2;
  if (rng.below(3) == 0) {
    instance.workload.communication = {static_cast<WireType>(rng.below(3)),
                                       static_cast<ResidualPath>(rng.below(2)), true};
  }
  return instance;
}

TEST(Agreement, DpAndCbcFindTheSameOptimumOnAThousandProblems) {
  constexpr int kProblems = 1000;
  const std::vector<Objective> objectives = testing::objectives();
  int planned = 0;
  int both_proven = 0;
  for (int seed = 1; seed <= kProblems; ++seed) {
    SCOPED_TRACE(seed);
    const Objective& objective = objectives[seed % objectives.size()];
    const Instance instance = problem_of(seed, objective);
    const PlanRequest request = instance.request(objective);
    const std::optional<Plan> dp = plan_or_nothing("dp", request);
    const std::optional<Plan> cbc = plan_or_nothing("cbc", request);
    ASSERT_EQ(dp.has_value(), cbc.has_value());
    if (!dp) continue;
    ++planned;
    const double by_dp = objective_value(dp->estimate, objective);
    const double by_cbc = objective_value(cbc->estimate, objective);
    const bool proven =
        dp->optimality == Optimality::kOptimal && cbc->optimality == Optimality::kOptimal;
    both_proven += proven ? 1 : 0;
    if (proven) {
      EXPECT_NEAR(by_dp / by_cbc, 1, 1e-6) << objective_name(objective);
    }
    EXPECT_GE(by_dp, by_cbc * (1 - cbc->gap) * (1 - 1e-6)) << objective_name(objective);
    EXPECT_GE(by_cbc, by_dp * (1 - dp->gap) * (1 - 1e-6)) << objective_name(objective);
  }
  RecordProperty("planned", planned);
  RecordProperty("proven", both_proven);
  EXPECT_GT(planned, kProblems / 2);
  EXPECT_GT(both_proven, planned * 9 / 10);
}

}  // namespace
}  // namespace lingua
