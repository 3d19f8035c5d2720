#include "runtime/balance/balancer.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "runtime/balance/recover.h"

namespace lingua {
namespace {

constexpr double kSameSpeed = 0.03;  // as much may speeds differ and still be the same
constexpr Seconds kAskAgain{
    10};  // while speeds are not those planned with, for the requests that come

constexpr double kLeastSaved = 0.01;
constexpr double kCheap_s = 2;             // a move that costs no more waits for nothing
constexpr std::size_t kMostChanges = 100;  // that are looked ahead

bool same_speed(double a, double b) { return std::abs(std::log(a / b)) <= kSameSpeed; }

// Somebody is there that was not.
bool joined(const ClusterSpec& present, const ClusterSpec& before) {
  return std::any_of(present.devices.begin(), present.devices.end(),
                     [&](const DeviceSpec& device) { return before.index_of(device.name) < 0; });
}

// REQUIRES: the one has been made from the other, or both from a third.
bool same_speeds(const ClusterSpec& a, const ClusterSpec& b) {
  if (a.devices.size() != b.devices.size()) return false;
  for (const DeviceSpec& device : a.devices) {
    const int index = b.index_of(device.name);
    if (index < 0) return false;
    const DeviceSpec& other = b.devices[static_cast<std::size_t>(index)];
    if (!same_speed(device.flops_per_s, other.flops_per_s) ||
        !same_speed(device.memory_bytes_per_s, other.memory_bytes_per_s))
      return false;
  }
  for (const auto* side : {&a, &b}) {
    for (const auto& [ends, link] : side->links) {
      if (a.index_of(ends.first) < 0 || a.index_of(ends.second) < 0) continue;
      if (!same_speed(a.link(ends.first, ends.second).bytes_per_s,
                      b.link(ends.first, ends.second).bytes_per_s))
        return false;
    }
  }
  return true;
}

}  // namespace

Balancer::Balancer(const PolicyEntry& policy, std::string planner, const PlanRequest& request,
                   Truth truth)
    : policy_(policy),
      planner_(std::move(planner)),
      request_(request),
      truth_(std::move(truth)),
      monitor_(*request_.cluster),
      planned_with_(*request_.cluster) {}

void Balancer::was_absent(const DeviceName& device) {
  planned_with_ = remaining_cluster(planned_with_, {{device}, {}});
}

std::vector<Snapshot::Later> Balancer::future(const Membership& membership, Seconds now) const {
  std::vector<Snapshot::Later> future;
  if (!policy_.knows) {
    const double lasts_s = monitor_.lasts_s(planned_with_, now);
    if (std::isfinite(lasts_s))
      future.push_back({lasts_s, remaining_cluster(monitor_.usual(now), membership)});
    return future;
  }
  for (const Seconds when : truth_.changes) {
    if (when <= now) continue;
    future.push_back({(when - now).count(), remaining_cluster(truth_.at(when), membership)});
    if (future.size() == kMostChanges) break;
  }
  return future;
}

std::string Balancer::heard(const DeviceName& device, const WorkReport& report, Seconds now) {
  return monitor_.take(device, report, now);
}

std::map<DeviceName, std::int64_t> Balancer::queued() const {
  std::map<DeviceName, std::int64_t> queued;
  for (const auto& [name, device] : monitor_.devices()) queued[name] = device.queued;
  return queued;
}

CrossingChoice Balancer::crossing(const Plan& running, const Plan& next,
                                  const Membership& membership,
                                  const std::vector<RequestLeft>& requests, Seconds now) const {
  const ClusterSpec present = remaining_cluster(this->present(now), membership);
  Forecast forecast(request_, present, requests, move_bytes_per_s_, queued());
  forecast.weights_are_there();
  return choose_crossing(forecast, running, next, forecast.stop_s(running, next));
}

std::optional<Decision> Balancer::consider(
    const Plan& plan, const Membership& membership,
    const std::function<std::vector<RequestLeft>()>& requests, bool between, Seconds now) {
  Plan running = plan;
  std::erase_if(running.keepers,
                [&](const Keeper& one) { return membership.lost.contains(one.device); });
  if (decided_ && same_runs(*decided_, running)) {
    planned_with_ = std::move(decided_with_);
  } else if (decided_) {
    failed_ = std::move(decided_);
  } else if (running_ && !same_runs(*running_, running)) {  // something was lost
    planned_with_ = remaining_cluster(planned_with_, membership);
  }
  decided_.reset();
  running_ = running;
  const ClusterSpec present = remaining_cluster(this->present(now), membership);
  if (same_speeds(present, planned_with_)) {
    considered_.reset();
    differs_since_.reset();
    return std::nullopt;
  }
  if (!differs_since_) differs_since_ = now;
  const bool is_new = !considered_ || !same_speeds(present, *considered_);
  const bool is_due = between && !asked_between_;  // a policy may wait for an end
  if (!is_new && !is_due && now < ask_at_) return std::nullopt;
  asked_between_ = between;
  if (is_new) failed_.reset();
  considered_ = present;
  ask_at_ = now + kAskAgain;
  const bool has_joined = joined(present, planned_with_);
  if (!policy_.moves && !has_joined) return std::nullopt;
  Snapshot snapshot{planner_, &request_,  &running, planned_with_,
                    present,  requests(), between,  future(membership, now)};
  snapshot.move_bytes_per_s = move_bytes_per_s_;
  snapshot.queued = queued();
  std::optional<Decision> decision =
      policy_.moves ? policy_.decide(snapshot) : policy("optimal").decide(snapshot);
  if (decision && failed_ && same_runs(decision->plan, *failed_)) return std::nullopt;
  if (decision && policy_.waits && !has_joined) {
    const double paid_s = decision->saved * (now - *differs_since_).count();
    const double missing_s = decision->cost_s - kCheap_s - paid_s;
    if (missing_s > 0) {
      ask_at_ =
          std::min(ask_at_, now + Seconds(missing_s / std::max(decision->saved, kLeastSaved)));
      return std::nullopt;
    }
  }
  if (decision) {
    decided_ = decision->plan;
    decided_with_ = snapshot.present;
  }
  return decision;
}

}  // namespace lingua
