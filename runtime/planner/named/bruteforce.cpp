#include <algorithm>

#include "runtime/base/errors.h"
#include "runtime/planner/named/planners.h"
#include "runtime/planner/search/infeasible.h"
#include "runtime/predict/estimated_value.h"
#include "runtime/predict/plan_costs.h"

namespace lingua {
namespace {

constexpr int kMostSegments = 10;
constexpr int kMostDevices = 4;

class Enumeration {
 public:
  explicit Enumeration(const PlanRequest& request) : request_(request), costs_(request) {}

  // All ways to place the segments from `first` on devices that are not used yet.
  void place(int first) {
    if (first == costs_.segments()) {
      judge();
      return;
    }
    for (int device = 0; device < costs_.devices(); ++device) {
      if (first == 0 && costs_.header() >= 0 && device != costs_.header()) continue;
      if (used(device)) continue;
      for (Run run{device, first, first}; run.last < costs_.segments(); ++run.last) {
        if (!costs_.fits(run)) break;
        runs_.push_back(run);
        place(run.last + 1);
        runs_.pop_back();
      }
    }
  }

  const std::vector<Stage>& best() const { return best_; }

 private:
  bool used(int device) const {
    return std::any_of(runs_.begin(), runs_.end(),
                       [&](const Run& run) { return run.device == device; });
  }

  void judge() {
    std::vector<Stage> stages = costs_.stages(runs_);
    if (!broken_rule(stages, request_.rules).empty()) return;
    const double value = estimated_value(costs_, runs_);
    if (!best_.empty() && value >= best_value_) return;
    best_ = std::move(stages);
    best_value_ = value;
  }

  const PlanRequest& request_;
  PlanCosts costs_;
  std::vector<Run> runs_;
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
  if (enumeration.best().empty()) explain_infeasible(PlanCosts(request));
  return {enumeration.best(), Optimality::kOptimal, 0};
}

}  // namespace lingua
