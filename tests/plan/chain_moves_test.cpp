#include "runtime/plan/chain_moves.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "runtime/plan/chain_search.h"
#include "runtime/plan/improve_chain.h"
#include "tests/plan/all_chains.h"
#include "tests/plan/random_instance.h"

namespace lingua {
namespace {

using testing::Instance;
using testing::Paths;
using testing::random_instance;

using Chain = std::vector<Run>;

std::vector<int> devices_of(const Chain& chain) {
  std::vector<int> devices;
  for (const Run& run : chain) devices.push_back(run.device);
  return devices;
}

TEST(RandomMove, LeavesAChainOfDifferentDevicesOrNothing) {
  int changed = 0;
  std::set<std::size_t> sizes;
  for (int seed = 1; seed <= 40; ++seed) {
    const Instance instance = random_instance(seed, Paths::kResidual);
    const PlanRequest request = instance.request(Objective::kThroughput);
    const PlanCosts costs(request);
    Rng rng(seed);
    Chain chain = {{0, 0, costs.segments() - 1}};
    for (int i = 0; i < 300; ++i) {
      const Chain next = random_move(costs, chain, rng);
      if (next.empty()) continue;
      int segment = 0;
      for (const auto& run : next) {
        ASSERT_EQ(run.first, segment);
        ASSERT_GE(run.last, run.first);
        segment = run.last + 1;
      }
      ASSERT_EQ(segment, costs.segments());
      const std::vector<int> devices = devices_of(next);
      ASSERT_EQ(std::set<int>(devices.begin(), devices.end()).size(), devices.size());
      changed += next == chain ? 0 : 1;
      chain = next;
      sizes.insert(chain.size());
    }
  }
  EXPECT_GT(changed, 2000);
  EXPECT_GE(sizes.size(), 4u);
}

// On chains of one value the neighbours say all, so that enumeration finds nothing less busy.
TEST(LeastBusyCuts, AreThoseOfEnumeration) {
  int compared = 0;
  for (int seed = 1; seed <= 60; ++seed) {
    const Instance instance = random_instance(seed, Paths::kChain);
    const PlanRequest request = instance.request(Objective::kThroughput);
    const PlanCosts costs(request);
    const auto busiest_between = [&](const Chain& chain) {
      double busiest = 0;
      for (std::size_t r = 0; r < chain.size(); ++r) {
        busiest = std::max(busiest, costs.compute(chain[r]));
        if (r > 0)
          busiest = std::max(busiest, costs.busy(chain[r - 1].device, chain[r].device,
                                                 chain[r - 1].first, chain[r].first));
      }
      return busiest;
    };
    std::map<std::vector<int>, double> least;
    testing::AllChains(costs, [&](const Chain& chain) {
      const auto at = least.try_emplace(devices_of(chain), kNoLimit).first;
      at->second = std::min(at->second, busiest_between(chain));
    });
    for (const auto& [order, busiest] : least) {
      const Chain chain = least_busy_cuts(costs, order);
      ASSERT_FALSE(chain.empty());
      EXPECT_EQ(devices_of(chain), order);
      EXPECT_NEAR(busiest_between(chain), busiest, 1e-12 * busiest);
      ++compared;
    }
  }
  EXPECT_GT(compared, 300);
}

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
    EXPECT_NEAR(estimated_value(costs, improve_chain(costs, any)) / best, 1, 1e-9) << seed;
    ++planned;
  }
  EXPECT_GT(planned, 2);
}

}  // namespace
}  // namespace lingua
