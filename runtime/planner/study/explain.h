#pragma once
// Why a plan is as it is, and what would change it: answers found by planning and estimating again.
//
// Units: seconds, bytes; values are those of objective_value, smaller is better.
// Determinism: as its planner's. Cost: some ten times that of the planner.

#include <optional>
#include <string>
#include <vector>

#include "runtime/planner/planner.h"

namespace lingua {

// A device that runs something.
struct StageReason {
  DeviceName device;
  double compute_s = 0;   // per request
  double transfer_s = 0;  // per request, on its outgoing links
  double busy_share = 0;  // computing, of the time in which the workload's requests are answered
  double slack_s = 0;     // per request it could compute so much longer and not be the bottleneck
  double used_bytes = 0;
  double free_bytes = 0;
  // Why it cannot take over the next segment of a neighbour that may give it; empty when it can.
  std::string no_room;
};

// A device that runs nothing: the best it could do, and what that would cost.
struct IdleReason {
  DeviceName device;
  std::string why;              // one line
  std::optional<double> value;  // of the best plan in which it takes part; nothing: it cannot
};

// Another plan or another cluster.
struct Alternative {
  std::string what;             // "1 GB more on phone-2"
  std::optional<double> value;  // nothing: no plan
};

struct Explanation {
  double value = 0;  // of the plan
  std::vector<StageReason> stages;
  std::vector<IdleReason> idle;
  std::string binds;                     // one line
  std::vector<Alternative> other_plans;  // even, best single device
  // More memory, a faster device, faster links, a device less.
  std::vector<Alternative> other_clusters;
};

// REQUIRES: the plan was made for the request (or checked against it) and has its estimate.
Explanation explain(const Plan& plan, const PlanRequest& request);

}  // namespace lingua
