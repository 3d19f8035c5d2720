#include <algorithm>

#include "runtime/base/errors.h"
#include "runtime/plan/plan_costs.h"
#include "runtime/plan/planners.h"

namespace lingua {
namespace {

// Fills the devices in order, each to at most `share` of its memory; empty when the segments do not
// find a place.
std::vector<Run> fill(const PlanCosts& costs, const std::vector<int>& order, double share) {
  std::vector<Run> runs;
  int next = 0;
  for (int device : order) {
    if (next == costs.segments()) break;
    const double room = share * costs.request().cluster->devices[device].memory_bytes;
    int end = next;
    while (end < costs.segments() && costs.memory(next, end) <= room) ++end;
    if (end > next) {
      runs.push_back({device, next, end - 1});
    } else if (device == costs.header()) {
      return {};
    }
    next = end;
  }
  return next == costs.segments() ? runs : std::vector<Run>{};
}

}  // namespace

PlannerResult plan_memory(const PlanRequest& request) {
  constexpr int kHalvings = 40;
  const PlanCosts costs(request);
  const std::vector<int> order = pipeline_order(request);
  std::vector<Run> best = fill(costs, order, 1);
  if (best.empty()) {
    if (request.cluster->devices.size() == 1) costs.explain_infeasible();
    throw InfeasibleError(
        fmt::format("planner 'memory' finds no place for {} ({} segments) when it fills the {} "
                    "devices in the order "
                    "of the cluster. Another planner may find a plan that fits",
                    format_quantity(costs.memory(0, costs.segments() - 1), Unit::kBytes),
                    costs.segments(), costs.devices()));
  }
  double low = 0;
  double high = 1;
  for (int i = 0; i < kHalvings; ++i) {
    const double middle = (low + high) / 2;
    std::vector<Run> runs = fill(costs, order, middle);
    if (runs.empty()) {
      low = middle;
    } else {
      high = middle;
      best = std::move(runs);
    }
  }
  return {costs.stages(best), Optimality::kHeuristic, 0};
}

}  // namespace lingua
