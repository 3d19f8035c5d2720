#include "runtime/balance/recover.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/planner/planner.h"
#include "runtime/predict/estimate.h"

namespace lingua {
namespace {

std::string names_of(const ClusterSpec& cluster) {
  std::vector<std::string> names;
  for (const DeviceSpec& device : cluster.devices) names.push_back(device.name);
  return names.empty() ? "no device is left"
                       : fmt::format("what is left ({})", fmt::join(names, ", "));
}

PlanRequest request_on(const PlanRequest& request, const ClusterSpec& cluster) {
  PlanRequest asked = request;
  asked.cluster = &cluster;
  asked.running = nullptr;
  asked.variants = nullptr;
  asked.rules = rules_among(asked.rules, cluster);
  return asked;
}

Plan plan_by(const std::string& planner, const PlanRequest& request) {
  const std::string best = planners().front().name;
  if (planner == best) return make_plan(best, request);
  try {
    return make_plan(planner, request);
  } catch (const InfeasibleError&) {  // a heuristic may see no way where there is one
    return make_plan(best, request);
  }
}

using Link = std::pair<DeviceName, DeviceName>;

// One that the plan uses and that is cut. A cut in one direction keeps both from working together: what is
// sent is answered.
std::optional<Link> cut_link_of(const Plan& plan, const Membership& left) {
  const auto is_cut = [&](const DeviceName& a, const DeviceName& b) {
    return left.cut.contains({a, b}) || left.cut.contains({b, a});
  };
  for (const Transfer& transfer : plan.transfers) {
    if (is_cut(transfer.from, transfer.to)) return Link(transfer.from, transfer.to);
  }
  if (is_cut(plan.tailer(), plan.header())) return Link(plan.tailer(), plan.header());
  return std::nullopt;
}

std::optional<Plan> plan_around_cuts(const std::string& planner, const PlanRequest& request,
                                     const Membership& left, std::string* why_not) {
  ClusterSpec cluster = remaining_cluster(*request.cluster, left);
  const std::vector<DeviceName>& excluded = request.rules.excluded;
  // The rules had another header, which is lost.
  if (std::find(excluded.begin(), excluded.end(), cluster.header) != excluded.end())
    cluster.header.clear();
  const bool nobody_may =
      std::all_of(cluster.devices.begin(), cluster.devices.end(), [&](const DeviceSpec& device) {
        return std::find(excluded.begin(), excluded.end(), device.name) != excluded.end();
      });
  std::optional<Plan> plan;
  try {
    if (nobody_may) throw InfeasibleError("nobody can run the model");
    plan = plan_by(planner, request_on(request, cluster));
  } catch (const InfeasibleError& error) {
    if (why_not->empty()) *why_not = fmt::format("{}: {}", names_of(cluster), error.what());
    return std::nullopt;
  }
  const std::optional<Link> cut = cut_link_of(*plan, left);
  if (!cut) return plan;
  std::optional<Plan> best;
  for (const DeviceName& device : {cut->first, cut->second}) {
    Membership without = left;
    without.lost.insert(device);
    std::optional<Plan> other = plan_around_cuts(planner, request, without, why_not);
    const auto value = [&](const Plan& plan) {
      return objective_value(plan.estimate, request.objective);
    };
    if (other && (!best || value(*other) < value(*best))) best = std::move(other);
  }
  return best;
}

}  // namespace

ClusterSpec remaining_cluster(const ClusterSpec& cluster, const Membership& left) {
  ClusterSpec remaining = cluster;
  std::erase_if(remaining.devices,
                [&](const DeviceSpec& device) { return left.lost.contains(device.name); });
  if (left.lost.contains(remaining.header)) remaining.header.clear();
  return remaining;
}

PlanRules rules_among(PlanRules rules, const ClusterSpec& cluster) {
  const auto is_gone = [&](const DeviceName& device) { return cluster.index_of(device) < 0; };
  std::erase_if(rules.excluded, is_gone);
  if (!rules.header.empty() && is_gone(rules.header)) rules.header.clear();
  if (!rules.tailer.empty() && is_gone(rules.tailer)) rules.tailer.clear();
  return rules;
}

Plan plan_for_remaining(const std::string& planner, const PlanRequest& request,
                        const Membership& left) {
  std::string why_not;
  if (auto plan = plan_around_cuts(planner, request, left, &why_not)) return *std::move(plan);
  throw InfeasibleError(why_not);
}

}  // namespace lingua
