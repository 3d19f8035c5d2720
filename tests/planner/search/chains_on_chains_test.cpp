#include "runtime/planner/search/chains_on_chains.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/planner/all_chains.h"
#include "tests/planner/random_instance.h"

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

}  // namespace
}  // namespace lingua
