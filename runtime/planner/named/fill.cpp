#include "runtime/planner/named/fill.h"

#include "runtime/base/errors.h"
#include "runtime/planner/search/infeasible.h"

namespace lingua {

std::vector<Run> fill_in_order(const PlanCosts& costs, const std::vector<int>& order,
                               const std::function<bool(const Run&)>& takes) {
  std::vector<Run> runs;
  int next = 0;
  for (int device : order) {
    if (next == costs.segments()) break;
    int end = next;
    while (end < costs.segments() && takes({device, next, end})) ++end;
    if (end > next) {
      runs.push_back({device, next, end - 1});
    } else if (device == costs.header()) {
      return {};
    }
    next = end;
  }
  return next == costs.segments() ? runs : std::vector<Run>{};
}

std::vector<Run> fill_to_least_level(const PlanCosts& costs, const std::vector<int>& order,
                                     double high,
                                     const std::function<bool(const Run&, double level)>& takes) {
  constexpr int kHalvings = 40;
  const auto fill = [&](double level) {
    return fill_in_order(costs, order, [&](const Run& run) { return takes(run, level); });
  };
  std::vector<Run> best = fill(high);
  double low = 0;
  for (int i = 0; i < kHalvings && !best.empty(); ++i) {
    const double middle = (low + high) / 2;
    std::vector<Run> runs = fill(middle);
    if (runs.empty()) {
      low = middle;
    } else {
      high = middle;
      best = std::move(runs);
    }
  }
  return best;
}

void refuse_run(const PlanCosts& costs, const char* planner, const Run& run) {
  const DeviceSpec& device = costs.request().cluster->devices[run.device];
  throw InfeasibleError(fmt::format(
      "planner '{}' gives device '{}' segments {} to {}, {}. Another planner may find a plan that "
      "fits",
      planner, device.name, run.first, run.last, costs.misfit(run)));
}

void refuse_order(const PlanCosts& costs, const char* planner, const char* order) {
  if (costs.devices() == 1) explain_infeasible(costs);
  throw InfeasibleError(fmt::format(
      "planner '{}' finds no place for {} ({} segments) when it fills the {} devices {}. Another "
      "planner may find a plan that fits",
      planner, format_quantity(costs.memory(0, costs.segments() - 1), Unit::kBytes),
      costs.segments(), costs.devices(), order));
}

}  // namespace lingua
