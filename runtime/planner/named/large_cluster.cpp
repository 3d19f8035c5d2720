#include "runtime/planner/named/large_cluster.h"

#include <algorithm>
#include <set>

#include "runtime/base/errors.h"
#include "runtime/planner/named/planners.h"
#include "runtime/predict/estimated_value.h"
#include "runtime/predict/plan_costs.h"

namespace lingua {
namespace {

constexpr std::size_t kFew = 32;

struct Best {
  std::vector<Run> runs;
  double value = kNoLimit;
};

Best best_simple_plan(const PlanCosts& costs) {
  Best best;
  for (auto* planner : {plan_greedy, plan_compute, plan_memory}) {
    if (!best.runs.empty() && costs.out_of_time()) break;
    try {
      const std::vector<Run> runs = costs.runs(planner(costs.request()).stages);
      if (runs.empty()) continue;
      const double value = estimated_value(costs, runs);
      if (value < best.value) best = {runs, value};
    } catch (const InfeasibleError&) {  // another may find one
    }
  }
  return best;
}

// Those of the plan, those that the rules name, then the fastest that hold something.
std::set<DeviceName> promising(const PlanCosts& costs, const std::vector<Run>& runs) {
  const PlanRequest& request = costs.request();
  std::set<DeviceName> names;
  for (const DeviceName& name :
       {request.rules.header, request.rules.tailer, request.cluster->header}) {
    if (!name.empty()) names.insert(name);
  }
  for (const Run& run : runs) names.insert(request.cluster->devices[run.device].name);
  std::vector<int> order(costs.devices());
  for (int d = 0; d < costs.devices(); ++d) order[d] = d;
  const int last = costs.segments() - 1;
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return costs.compute({a, 0, last}) < costs.compute({b, 0, last});
  });
  const auto holds_any = [&](int device) {
    for (int s = 0; s <= last; ++s) {
      if (costs.fits({device, s, s})) return true;
    }
    return false;
  };
  for (int device : order) {
    if (names.size() >= kFew) break;
    if (holds_any(device)) names.insert(request.cluster->devices[device].name);
  }
  return names;
}

ClusterSpec with_devices(const ClusterSpec& cluster, const std::set<DeviceName>& names) {
  ClusterSpec few;
  few.name = cluster.name;
  few.source = cluster.source;
  few.header = cluster.header;
  few.default_link = cluster.default_link;
  few.shared_bytes_per_s = cluster.shared_bytes_per_s;
  few.radio_power_w = cluster.radio_power_w;
  for (const DeviceSpec& device : cluster.devices) {
    if (names.contains(device.name)) few.devices.push_back(device);
  }
  few.links = cluster.links;  // those of the others say how fast a radio is
  return few;
}

}  // namespace

PlannerResult plan_large_cluster(const PlanRequest& request,
                                 PlannerResult (*planner)(const PlanRequest&)) {
  const PlanCosts costs(request);
  Best best = best_simple_plan(costs);
  const ClusterSpec few = with_devices(*request.cluster, promising(costs, best.runs));
  PlanRequest part = request;
  part.cluster = &few;
  part.running = nullptr;
  part.only_in_time = !best.runs.empty();
  part.time_limit_s = std::max(0.0, costs.left_s());
  if (best.runs.empty() || !costs.out_of_time()) {
    try {
      const std::vector<Run> runs = costs.runs(planner(part).stages);
      const double value = runs.empty() ? kNoLimit : estimated_value(costs, runs);
      if (value < best.value) best = {runs, value};
    } catch (const InfeasibleError&) {
      if (best.runs.empty()) {
        throw InfeasibleError(
            fmt::format("no plan found on {} devices: neither greedy, compute and memory nor a "
                        "search on the {} "
                        "most promising find one; leave devices out (`exclude`), or ask for one "
                        "planner by name",
                        costs.devices(), few.devices.size()));
      }
    }
  }
  return {costs.stages(best.runs), Optimality::kHeuristic, 0};
}

}  // namespace lingua
