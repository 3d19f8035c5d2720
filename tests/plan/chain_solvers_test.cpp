#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/errors.h"
#include "runtime/plan/chain_candidates.h"
#include "runtime/plan/chain_search.h"
#include "tests/plan/random_instance.h"
#ifdef LINGUA_WITH_CBC
#include "runtime/plan/chain_cbc.h"
#endif

namespace lingua {
namespace {

using testing::Instance;
using testing::Paths;
using testing::random_instance;

constexpr std::size_t kNoWidth = 1'000'000;

// Every chain, for the cheapest value within a limit: the plain meaning of what the solvers search.
class AllChains {
 public:
  AllChains(const PlanCosts& costs, const ChainLimits& limits) : costs_(costs), limits_(limits) {
    used_.assign(costs.devices(), false);
    place(0);
  }
  double best() const { return best_; }

 private:
  void place(int first) {
    if (first == costs_.segments()) {
      if (within_limits()) best_ = std::min(best_, chain_value(costs_, runs_));
      return;
    }
    for (int device = 0; device < costs_.devices(); ++device) {
      if (used_[device] || (first == 0 && costs_.header() >= 0 && device != costs_.header()))
        continue;
      used_[device] = true;
      for (int last = first; last < costs_.segments(); ++last) {
        if (!costs_.fits({device, first, last})) break;
        runs_.push_back({device, first, last});
        place(last + 1);
        runs_.pop_back();
      }
      used_[device] = false;
    }
  }

  bool within_limits() const {
    for (std::size_t r = 0; r < runs_.size(); ++r) {
      if (costs_.compute(runs_[r]) > limits_.busiest) return false;
      if (r > 0 && costs_.busy(runs_[r - 1].device, runs_[r].device, runs_[r - 1].first,
                               runs_[r].first) > limits_.busiest) {
        return false;
      }
    }
    return costs_.answer_busy(runs_.back().device, runs_.front().device) <= limits_.busiest;
  }

  const PlanCosts& costs_;
  const ChainLimits& limits_;
  std::vector<bool> used_;
  std::vector<Run> runs_;
  double best_ = kNoLimit;
};

// Tries a solver with and without limits on random problems.
template <typename Solver>
void expect_optimal(const Solver& solver, Objective objective, Paths paths) {
  int solved = 0;
  int unsolvable = 0;
  for (int seed = 1; seed <= 120; ++seed) {
    const Instance instance = random_instance(1000 + seed, paths);
    const PlanRequest request = instance.request(objective);
    const PlanCosts costs(request);
    const double free_best = AllChains(costs, {}).best();
    const double limit = free_best * (0.2 + 0.01 * seed);
    for (const ChainLimits& limits :
         {ChainLimits{}, ChainLimits{limit, kNoLimit}, ChainLimits{limit, free_best * 1.1},
          ChainLimits{kNoLimit, free_best * 0.999}}) {
      SCOPED_TRACE(
          fmt::format("seed {}, busiest {}, cutoff {}", seed, limits.busiest, limits.cutoff));
      const double best = AllChains(costs, limits).best();
      const ChainResult result = solver(costs, limits);
      ASSERT_TRUE(result.exact);
      ASSERT_EQ(result.runs.has_value(), best < limits.cutoff);
      if (!result.runs) {
        ++unsolvable;
        continue;
      }
      ++solved;
      EXPECT_NEAR(chain_value(costs, *result.runs), best, 1e-6 * best);
    }
  }
  EXPECT_GT(solved, 150);
  EXPECT_GT(unsolvable, 100);
}

class ChainSolvers : public ::testing::TestWithParam<std::tuple<Objective, Paths>> {};

TEST_P(ChainSolvers, DynamicProgramFindsTheCheapestChainWithinLimits) {
  const auto [objective, paths] = GetParam();
  expect_optimal([](const PlanCosts& costs,
                    const ChainLimits& limits) { return search_chain(costs, limits, kNoWidth); },
                 objective, paths);
}

#ifdef LINGUA_WITH_CBC
TEST_P(ChainSolvers, CbcFindsTheCheapestChainWithinLimitsByItself) {
  const auto [objective, paths] = GetParam();
  expect_optimal(
      [](const PlanCosts& costs, const ChainLimits& limits) {
        return solve_chain_with_cbc(costs, limits, Seconds(60));
      },
      objective, paths);
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
    const ClusterSpec cluster = testing::random_cluster(6, need, rng.uniform(0.5, 1), rng);
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
    EXPECT_NEAR(chain_value(costs, *cbc.runs) / chain_value(costs, *dp.runs), 1, 1e-6);
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
    const Instance instance = random_instance(seed, paths);
    const PlanRequest request = instance.request(objective);
    const PlanCosts costs(request);
    const ChainResult best = search_chain(costs, {}, kNoWidth);
    if (!best.runs) continue;
    const double value = chain_value(costs, *best.runs);
    const ChainCandidates candidates = chain_candidates(costs, {kNoLimit, value * (1 + 1e-9)});
    for (const lingua::Run& run : *best.runs) {
      EXPECT_THAT(candidates.runs, ::testing::Contains(run));
      ++checked;
    }
  }
  EXPECT_GT(checked, 60);
}

INSTANTIATE_TEST_SUITE_P(All, ChainSolvers,
                         ::testing::Combine(::testing::Values(Objective::kLatency,
                                                              Objective::kThroughput),
                                            ::testing::Values(Paths::kChain, Paths::kResidual)),
                         [](const auto& info) {
                           return fmt::format(
                               "{}_{}", objective_name(std::get<0>(info.param)),
                               std::get<1>(info.param) == Paths::kChain ? "chain" : "residual");
                         });

}  // namespace
}  // namespace lingua
