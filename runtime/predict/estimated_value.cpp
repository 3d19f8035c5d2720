#include "runtime/predict/estimated_value.h"

namespace lingua {

double estimated_value(const PlanCosts& costs, const std::vector<Run>& runs,
                       const PlayLimits& limits) {
  const PlanRequest& request = costs.request();
  Plan plan;
  plan.stages = costs.stages(runs);
  plan.transfers = transfers_of(*request.segmentation, plan.stages, request.workload.communication);
  const auto value = [&](const ClusterSpec& cluster, const PlayLimits& most) {
    if (most.race != nullptr && request.objective.is_throughput()) {
      return costs.busy_price() *
             played_request_s(plan, *request.segmentation, cluster, request.workload, most);
    }
    return objective_value(estimate(plan, *request.segmentation, cluster, request.workload, most),
                           request.objective);
  };
  if (request.variants == nullptr) return value(*request.cluster, limits);
  // Each may take what the others leave, and none takes less than on the fastest cluster there can be.
  const auto count = static_cast<double>(request.variants->clusters.size());
  const double other_goals = costs.other_goals(runs);
  const double least = costs.objective(runs) / (1 + request.variants->share);
  double left = count * (other_goals - least);
  if (limits.most_s < kNoLimit) left += count * costs.busy_price() * limits.most_s;
  double sum = 0;
  PlayLimits own = limits;
  for (const ClusterSpec& cluster : request.variants->clusters) {
    if (limits.most_s < kNoLimit) own.most_s = (left + least - other_goals) / costs.busy_price();
    const double here = value(cluster, own);
    if (here == kNoLimit) return kNoLimit;
    left -= here - least;
    sum += here;
  }
  return sum / count;
}

}  // namespace lingua
