#include "runtime/planner/search/moves.h"

#include <gtest/gtest.h>

#include <set>

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

}  // namespace
}  // namespace lingua
