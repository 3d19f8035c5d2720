#pragma once
// The load balancer of a run, and what came of it as JSON.
//
// Errors: UsageError for a policy that is not known.

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "runtime/app/setting.h"
#include "runtime/balance/balancer.h"
#include "runtime/engine/coordinator.h"
#include "runtime/supply/supply.h"

namespace lingua {

struct BalanceOptions {
  std::string policy = "none";
  double report_every_s = 0.5;
  double move_bytes_per_s = 0;  // 0: no bound
  bool may_join = false;        // devices may: `none` uses them too, where that pays
};
void visit_balance(BalanceOptions& options, SettingVisitor& visitor);
// See CoordinatorJob::wait_for_devices.
void visit_wait(double& seconds, SettingVisitor& visitor);

// Has the coordinator of a job, whose absent devices are known, balance the load. `request`: as the run is planned; what it refers to outlives the
// job. `truth`: see Balancer.
struct Balancing {
  std::shared_ptr<Balancer> balancer;
  std::shared_ptr<std::vector<std::string>> notes;

  // Reports that were not used and why, the first few.
  std::vector<std::string> unused() const { return notes ? *notes : std::vector<std::string>(); }
};
Balancing balance(const BalanceOptions& options, const std::string& planner,
                  const PlanRequest& request, Truth truth, CoordinatorJob& job);

std::vector<RequestLeft> requests_left(const std::vector<RunState::Request>& requests);

// The cluster as a supply has it at a time; empty where there is none.
Truth truth_of(const ClusterSpec& cluster, const SupplyTrace& supply);

nlohmann::json moves_json(const std::vector<MoveRecord>& moves);
nlohmann::json joins_json(const std::vector<JoinRecord>& joins);

}  // namespace lingua
