#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/errors.h"
#include "runtime/planner/search/chain_candidates.h"
#include "runtime/planner/search/label_setting.h"
#include "tests/planner/all_chains.h"
#include "tests/planner/random_instance.h"
#ifdef LINGUA_HAS_CBC
#include "runtime/planner/search/chain_solver.h"
#include "runtime/planner/search/interval_program.h"
#endif

namespace lingua {
namespace {

using testing::Instance;
using testing::Paths;
using testing::random_instance;

constexpr std::size_t kNoWidth = 1'000'000;

bool within(const PlanCosts& costs, const ChainLimits& limits,
            const std::vector<lingua::Run>& runs) {
  for (std::size_t r = 0; r < runs.size(); ++r) {
    if (costs.compute(runs[r]) > limits.busiest) return false;
    if (r > 0 && costs.busy(runs[r - 1].device, runs[r].device, runs[r - 1].first, runs[r].first) >
                     limits.busiest) {
      return false;
    }
  }
  return costs.answer_busy(runs.back(), runs.front().device) <= limits.busiest;
}

double best_of_all(const PlanCosts& costs, const ChainLimits& limits) {
  return testing::least_of_all_chains(costs, [&](const std::vector<lingua::Run>& runs) {
    return within(costs, limits, runs) ? costs.price(runs).value() : kNoLimit;
  });
}

// Tries a solver with and without limits on random problems.
template <typename Solver>
void expect_optimal(const Solver& solver, const Objective& objective, Paths paths, int seeds) {
  int solved = 0;
  int unsolvable = 0;
  for (int seed = 1; seed <= seeds; ++seed) {
    Instance instance = random_instance(1000 + seed, paths);
    if (objective.tpot > 0) instance.workload.max_tokens += 2;
    const PlanRequest request = instance.request(objective);
    const PlanCosts costs(request);
    const double free_best = best_of_all(costs, {});
    const double least_latency = testing::least_of_all_chains(
        costs, [&](const std::vector<lingua::Run>& runs) { return costs.latency(runs); });
    const double limit = least_latency * (0.2 + 1.2 * seed / seeds);
    for (const ChainLimits& limits :
         {ChainLimits{}, ChainLimits{limit, kNoLimit}, ChainLimits{limit, free_best * 1.1},
          ChainLimits{kNoLimit, free_best * 0.999}}) {
      SCOPED_TRACE(
          fmt::format("seed {}, busiest {}, cutoff {}", seed, limits.busiest, limits.cutoff));
      const double best = best_of_all(costs, limits);
      const ChainResult result = solver(costs, limits);
      ASSERT_TRUE(result.exact);
      ASSERT_EQ(result.runs.has_value(), best < limits.cutoff);
      if (!result.runs) {
        ++unsolvable;
        continue;
      }
      ++solved;
      EXPECT_NEAR(costs.price(*result.runs).value(), best, 1e-6 * best);
    }
  }
  EXPECT_GT(solved, seeds);
  EXPECT_GT(unsolvable, seeds / 2);
}

class ChainSolvers : public ::testing::TestWithParam<std::tuple<Objective, Paths>> {};

TEST_P(ChainSolvers, DynamicProgramFindsTheCheapestChainWithinLimits) {
  const auto [objective, paths] = GetParam();
  expect_optimal([](const PlanCosts& costs,
                    const ChainLimits& limits) { return search_chain(costs, limits, kNoWidth); },
                 objective, paths, 120);
}

#ifdef LINGUA_HAS_CBC
TEST_P(ChainSolvers, CbcFindsTheCheapestChainWithinLimitsByItself) {
  const auto [objective, paths] = GetParam();
  expect_optimal(
      [](const PlanCosts& costs, const ChainLimits& limits) {
        return solve_chain_with_cbc(costs, limits, Seconds(60));
      },
      objective, paths, 30);
}

TEST_P(ChainSolvers, CbcAndDynamicProgramAgreeBeyondEnumeration) {
  const auto [objective, paths] = GetParam();
  int solved = 0;
  for (int seed = 1; seed <= 15; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    const Segmentation segmentation = testing::random_segmentation(12, paths, rng);
    double need = 0;
    for (const Segment& segment : segmentation.segments) need += segment.weights_bytes();
    ClusterSpec cluster = testing::random_cluster(6, need, rng.uniform(0.5, 1), rng);
    testing::give_power(cluster, rng);
    PlanRequest request;
    request.segmentation = &segmentation;
    request.cluster = &cluster;
    request.workload.in_flight = 3;
    request.objective = objective;
    const PlanCosts costs(request);
    const ChainResult dp = search_chain(costs, {}, kNoWidth);
    const ChainResult cbc = solve_chain_with_cbc(costs, {}, Seconds(60));
    ASSERT_TRUE(dp.exact && cbc.exact);
    ASSERT_EQ(dp.runs.has_value(), cbc.runs.has_value());
    if (!dp.runs) continue;
    ++solved;
    EXPECT_NEAR(costs.price(*cbc.runs).value() / costs.price(*dp.runs).value(), 1, 1e-6);
  }
  EXPECT_GT(solved, 7);
}

TEST(CbcChain, SaysThatItIsNotExactWhenItHasNoTime) {
  const Instance instance = random_instance(3, Paths::kChain);
  const PlanRequest request = instance.request(Objective::kLatency);
  const ChainResult result = solve_chain_with_cbc(PlanCosts(request), {}, Seconds(0));
  EXPECT_FALSE(result.exact);
  EXPECT_FALSE(result.runs.has_value());
}
#endif

TEST_P(ChainSolvers, CandidatesKeepEveryRunOfTheBestChain) {
  const auto [objective, paths] = GetParam();
  int checked = 0;
  for (int seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    Instance instance = random_instance(seed, paths);
    if (objective.tpot > 0) instance.workload.max_tokens += 2;
    const PlanRequest request = instance.request(objective);
    const PlanCosts costs(request);
    const ChainResult best = search_chain(costs, {}, kNoWidth);
    if (!best.runs) continue;
    const double value = costs.price(*best.runs).value();
    const ChainCandidates candidates = chain_candidates(costs, {kNoLimit, value * (1 + 1e-9)});
    for (const lingua::Run& run : *best.runs) {
      EXPECT_THAT(candidates.runs, ::testing::Contains(run));
      ++checked;
    }
  }
  EXPECT_GT(checked, 60);
}

INSTANTIATE_TEST_SUITE_P(All, ChainSolvers,
                         ::testing::Combine(::testing::ValuesIn(testing::objectives()),
                                            ::testing::Values(Paths::kChain, Paths::kResidual)),
                         [](const auto& info) {
                           return fmt::format(
                               "{}_{}", testing::test_name(std::get<0>(info.param)),
                               std::get<1>(info.param) == Paths::kChain ? "chain" : "residual");
                         });

}  // namespace
}  // namespace lingua
