// Segments in proportion to FLOP/s: each device of the cluster, in its order, computes the prompt for
// as long as every other, within its memory. Memory bandwidth and links count for nothing.
// Source: the usual rule of heterogeneous pipelines, layers in proportion to capability, then moved
// where memory is short, as in Galaxy's planning (arXiv 2405.17245).

#include <algorithm>

#include "runtime/planner/named/fill.h"
#include "runtime/planner/named/planners.h"

namespace lingua {

PlannerResult plan_compute(const PlanRequest& request) {
  const PlanCosts costs(request);
  const Step prompt{request.workload.prompt_tokens, 0};
  std::vector<double> before = {0};  // FLOPs of the segments before each
  for (const Segment& segment : request.segmentation->segments) {
    before.push_back(before.back() + segment.flops.at(prompt));
  }
  const auto& devices = request.cluster->devices;
  double slowest = kNoLimit;
  for (const DeviceSpec& device : devices) slowest = std::min(slowest, device.flops_per_s);
  const auto takes = [&](const Run& run, double time_s) {
    const double flops = before[run.last + 1] - before[run.first];
    return costs.fits(run) && flops <= time_s * devices[run.device].flops_per_s;
  };
  const std::vector<Run> runs =
      fill_to_least_level(costs, pipeline_order(request), 2 * before.back() / slowest + 1, takes);
  if (runs.empty()) refuse_order(costs, "compute", "in the order of the cluster");
  return {costs.stages(runs), Optimality::kHeuristic, 0};
}

}  // namespace lingua
