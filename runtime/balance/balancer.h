#pragma once
// The runtime load balancer: keeps the present speeds from what workers report, and asks a policy when they have
// changed.
//
// Pure but for what it remembers; no clock, no message. Determinism: as the run's planner.
// Threads: one at a time. Errors: none of its own; what a planner cannot plan moves nothing.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "runtime/balance/monitor.h"
#include "runtime/balance/policy.h"

namespace lingua {

// What a policy knows that knows everything: the cluster as it is at a time, without who is gone, and when it changes.
struct Truth {
  std::function<ClusterSpec(Seconds)> at;
  std::vector<Seconds> changes = {};  // ascending
};

class Balancer {
 public:
  // `request`: as the run was planned, on the whole cluster. `truth`: for a policy that knows it; may be empty for
  // others. REQUIRES: what the request refers to outlives it.
  Balancer(const PolicyEntry& policy, std::string planner, const PlanRequest& request,
           Truth truth = {});

  // What each sends at most of weights when the plan changes; 0: no bound.
  void bound_moves(double bytes_per_s) { move_bytes_per_s_ = bytes_per_s; }
  // The running plan was made while this device was not there.
  void was_absent(const DeviceName& device);
  // Of a device that reports on the running plan. Returns what in it cannot be, in words; empty when it is used.
  std::string heard(const DeviceName& device, const WorkReport& report, Seconds now);
  // What to do now. Of a policy that does not move the load it is to use a device that has joined, where that
  // pays. `running`: the plan that serves; one that was decided on and does not serve when it is asked
  // again came to nothing, and is not tried again until something changes.
  std::optional<Decision> consider(const Plan& running, const Membership& membership,
                                   const std::function<std::vector<RequestLeft>()>& requests,
                                   bool between, Seconds now);
  // How the requests that run cross best to a plan whose weights devices have.
  CrossingChoice crossing(const Plan& running, const Plan& next, const Membership& membership,
                          const std::vector<RequestLeft>& requests, Seconds now) const;
  // The whole cluster as it is measured, or as it is known to be.
  ClusterSpec present(Seconds now) const {
    return policy_.knows && truth_.at ? truth_.at(now) : monitor_.present();
  }
  // Another plan, which may serve when it is asked next, was made for a cluster as that is.
  void planned(const Plan& plan, const ClusterSpec& present) {
    decided_ = plan;
    decided_with_ = present;
  }
  // "phone1 2.90x the time planned with"; empty when all is as planned with.
  std::string differences() const { return monitor_.differences(); }
  const Monitor& monitor() const { return monitor_; }
  // The cluster that the last decision was made for. REQUIRES: there is one.
  const ClusterSpec& decided_with() const { return decided_with_; }

 private:
  std::map<DeviceName, std::int64_t> queued() const;
  std::vector<Snapshot::Later> future(const Membership& membership, Seconds now) const;

  const PolicyEntry& policy_;
  const std::string planner_;
  const PlanRequest request_;
  const Truth truth_;
  Monitor monitor_;
  double move_bytes_per_s_ = 0;
  ClusterSpec planned_with_;     // the running plan
  std::optional<Plan> running_;  // when it was asked last
  std::optional<Plan> decided_;  // that may serve when it is asked next
  ClusterSpec decided_with_;
  std::optional<Plan> failed_;             // came to nothing at these speeds
  std::optional<ClusterSpec> considered_;  // last, and when again
  Seconds ask_at_{0};
  std::optional<Seconds> differs_since_;  // speeds from those planned with
  bool asked_between_ = false;            // when it was considered last
};

}  // namespace lingua
