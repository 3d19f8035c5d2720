#include <algorithm>

#include "runtime/base/errors.h"
#include "runtime/plan/plan_costs.h"
#include "runtime/plan/planners.h"

namespace lingua {

PlannerResult plan_even(const PlanRequest& request) {
  const PlanCosts costs(request);
  const std::vector<int> order = pipeline_order(request);
  const int used = std::min(costs.devices(), costs.segments());
  std::vector<Run> runs;
  for (int s = 0; s < used; ++s) {
    runs.push_back({order[s], costs.segments() * s / used, costs.segments() * (s + 1) / used - 1});
  }
  for (const Run& run : runs) {
    if (costs.fits(run)) continue;
    const DeviceSpec& device = request.cluster->devices[run.device];
    throw InfeasibleError(
        fmt::format("planner 'even' gives device '{}' segments {} to {}, which need {}; it has {}. "
                    "Another planner "
                    "may find a plan that fits",
                    device.name, run.first, run.last,
                    format_quantity(costs.memory(run.first, run.last), Unit::kBytes),
                    format_quantity(device.memory_bytes, Unit::kBytes)));
  }
  return {costs.stages(runs), Optimality::kHeuristic, 0};
}

}  // namespace lingua
