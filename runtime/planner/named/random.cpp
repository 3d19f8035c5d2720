// A random number of devices in random order with random cuts, drawn until it fits; after many tries,
// devices in random order filled to their memory. The floor that any planner must beat.
// Determinism: PlanRequest::seed alone decides.

#include "runtime/base/random.h"

#include <algorithm>

#include "runtime/planner/named/fill.h"
#include "runtime/planner/named/planners.h"

namespace lingua {
namespace {

// The devices in random order, a pinned header first.
std::vector<int> random_order(const PlanRequest& request, const PlanCosts& costs, Rng& rng) {
  std::vector<int> order = pipeline_order(request);
  const std::size_t fixed = costs.header() >= 0 ? 1 : 0;
  for (std::size_t i = order.size(); i > fixed + 1; --i) {
    std::swap(order[i - 1], order[fixed + rng.below(i - fixed)]);
  }
  return order;
}

std::vector<Run> random_runs(const PlanCosts& costs, const std::vector<int>& order, Rng& rng) {
  const auto most = static_cast<std::uint64_t>(std::min(costs.devices(), costs.segments()));
  const auto stages = 1 + static_cast<int>(rng.below(most));
  std::vector<int> cuts = {0, costs.segments()};
  while (static_cast<int>(cuts.size()) <= stages) {
    const int cut = 1 + static_cast<int>(rng.below(costs.segments() - 1));
    if (std::find(cuts.begin(), cuts.end(), cut) == cuts.end()) cuts.push_back(cut);
  }
  std::sort(cuts.begin(), cuts.end());
  std::vector<Run> runs;
  for (int s = 0; s < stages; ++s) runs.push_back({order[s], cuts[s], cuts[s + 1] - 1});
  return runs;
}

}  // namespace

PlannerResult plan_random(const PlanRequest& request) {
  constexpr int kTries = 2000;
  const PlanCosts costs(request);
  Rng rng(request.seed);
  const auto fits = [&](const Run& run) { return costs.fits(run); };
  for (int i = 0; i < 2 * kTries; ++i) {
    const std::vector<int> order = random_order(request, costs, rng);
    const std::vector<Run> runs =
        i < kTries ? random_runs(costs, order, rng) : fill_in_order(costs, order, fits);
    if (!runs.empty() && std::all_of(runs.begin(), runs.end(), fits)) {
      return {costs.stages(runs), Optimality::kHeuristic, 0};
    }
  }
  refuse_order(costs, "random", "in thousands of random orders");
}

}  // namespace lingua
