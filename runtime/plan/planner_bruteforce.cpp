#include "runtime/base/errors.h"
#include "runtime/plan/estimate.h"
#include "runtime/plan/plan_costs.h"
#include "runtime/plan/planners.h"

namespace lingua {
namespace {

constexpr int kMostSegments = 10;
constexpr int kMostDevices = 4;

class Enumeration {
 public:
  explicit Enumeration(const PlanRequest& request) : request_(request), costs_(request) {}

  // All ways to place the segments from `first` on devices that are not used yet.
  void place(SegmentId first) {
    const auto count = static_cast<SegmentId>(request_.segmentation->segments.size());
    if (first == count) {
      judge();
      return;
    }
    for (const DeviceSpec& device : request_.cluster->devices) {
      if (first == 0 && !request_.cluster->header.empty() &&
          device.name != request_.cluster->header) {
        continue;
      }
      if (used(device.name)) continue;
      for (SegmentId last = first; last < count; ++last) {
        if (!costs_.fits({request_.cluster->index_of(device.name), first, last})) break;
        plan_.stages.push_back({device.name, first, last, {}});
        place(last + 1);
        plan_.stages.pop_back();
      }
    }
  }

  const std::vector<Stage>& best() const { return best_; }

 private:
  bool used(const DeviceName& device) const {
    for (const Stage& stage : plan_.stages) {
      if (stage.device == device) return true;
    }
    return false;
  }

  void judge() {
    if (!broken_rule(plan_.stages, request_.rules).empty()) return;
    plan_.transfers = transfers_of(*request_.segmentation, plan_.stages);
    const double value = objective_value(
        estimate(plan_, *request_.segmentation, *request_.cluster, request_.workload),
        request_.objective);
    if (!best_.empty() && value >= best_value_) return;
    best_ = plan_.stages;
    best_value_ = value;
  }

  const PlanRequest& request_;
  PlanCosts costs_;
  Plan plan_;
  std::vector<Stage> best_;
  double best_value_ = 0;
};

}  // namespace

PlannerResult plan_bruteforce(const PlanRequest& request) {
  const std::size_t segments = request.segmentation->segments.size();
  const std::size_t devices = request.cluster->devices.size();
  if (segments > kMostSegments || devices > kMostDevices) {
    throw UsageError(fmt::format(
        "planner 'bruteforce' takes at most {} segments and {} devices; here are {} and {}",
        kMostSegments, kMostDevices, segments, devices));
  }
  Enumeration enumeration(request);
  enumeration.place(0);
  if (enumeration.best().empty()) PlanCosts(request).explain_infeasible();
  return {enumeration.best(), Optimality::kOptimal, 0};
}

}  // namespace lingua
