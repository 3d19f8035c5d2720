// Equal shares of each device's free memory, in the order of the cluster, whatever its speed.
// Source: llama.cpp's RPC backend (layers by free memory), exo (ring by memory).

#include "runtime/planner/named/fill.h"
#include "runtime/planner/named/planners.h"

namespace lingua {

PlannerResult plan_memory(const PlanRequest& request) {
  const PlanCosts costs(request);
  const auto takes = [&](const Run& run, double share) {
    return costs.memory(run.first, run.last) <=
           share * request.cluster->devices[run.device].memory_bytes;
  };
  const std::vector<Run> runs = fill_to_least_level(costs, pipeline_order(request), 1, takes);
  if (runs.empty()) refuse_order(costs, "memory", "in the order of the cluster");
  return {costs.stages(runs), Optimality::kHeuristic, 0};
}

}  // namespace lingua
