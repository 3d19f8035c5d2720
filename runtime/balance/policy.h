#pragma once
// Policies: whether the plan of a run should change now, and to what. By name, as planners are.
//
// Each is a pure function of a snapshot: no clock, no state, no message. Determinism: as the run's planner.
// Source: `lingualinked` is the runtime load balancer of LinguaLinked (arXiv 2312.00388): boundaries move within
// what neighbours both store, between requests. `optimal` is ours: gain over the rest of the run against the cost
// of moving, both predicted.
// Errors: UsageError for an unknown name.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "runtime/balance/crossing_choice.h"
#include "runtime/plan/membership.h"
#include "runtime/plan/plan_request.h"

namespace lingua {

// A run at a moment.
struct Snapshot {
  std::string planner;                   // of the run
  const PlanRequest* request = nullptr;  // as the run was planned
  const Plan* running = nullptr;
  ClusterSpec planned_with;  // what the running plan was made for
  ClusterSpec present;       // as it is measured, without who is lost
  std::vector<RequestLeft> requests;
  bool between = false;  // a request has just ended
  // How the cluster changes later, as is known or to be expected, times ascending; the last state lasts.
  struct Later {
    double after_s = 0;
    ClusterSpec cluster;
  };
  std::vector<Later> future = {};
  std::map<DeviceName, std::int64_t> queued = {};  // see Forecast
  double move_bytes_per_s = 0;  // that each sends at most of weights; 0: no bound
};

struct Decision {
  Plan plan;
  Crossings crossings;
  bool crosses = true;  // else requests end where they run
  double gain_s = 0;    // the run ends so much sooner, costs taken off
  double cost_s = 0;    // of crossing
  double saved = 0;     // of each second, at present speeds
  double weights_bytes = 0;
  double prepare_s = 0;
  double copy_s = 0;
  double pause_s = 0;  // no token comes for so long, of a request that crosses
  std::string why;     // in one line
};

struct PolicyEntry {
  const char* name;
  const char* summary;  // one line
  std::optional<Decision> (*decide)(const Snapshot& snapshot);
  bool moves = true;   // the load; else the plan changes with the devices that are there
  bool knows = false;  // the present cluster is the true one, at once
  // A costly move waits until staying has cost as much: what is over by then costs nothing, and what lasts at most
  // twice what it would have to (ski rental).
  bool waits = false;
};

const std::vector<PolicyEntry>& policies();
const PolicyEntry& policy(const std::string& name);

// Whether the same devices run the same segments, whatever they store.
bool same_runs(const Plan& a, const Plan& b);

// The best plan with the running one's devices in their order where no weight has to be sent, boundaries moved
// within what neighbours both store; nothing when the boundaries are there already.
std::optional<Plan> plan_within_overlap(const Snapshot& snapshot);

}  // namespace lingua
