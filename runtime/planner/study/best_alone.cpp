#include "runtime/planner/study/best_alone.h"

#include "runtime/planner/search/chain_bounds.h"
#include "runtime/predict/estimated_value.h"

namespace lingua {

std::optional<BestAlone> best_device_alone(const PlanCosts& costs) {
  std::optional<BestAlone> best;
  for (int d : possible_headers(costs)) {
    const Run all{d, 0, costs.segments() - 1};
    if (!costs.fits(all) || !costs.allowed(all)) continue;
    const double value = estimated_value(costs, {all});
    if (best && best->value <= value) continue;
    best = {costs.request().cluster->devices[static_cast<std::size_t>(d)].name, value};
  }
  return best;
}

}  // namespace lingua
