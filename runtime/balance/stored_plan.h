#pragma once
// Recovery that chooses: the best plan anew for what is left, or the best within what is stored there.
//
// Within what is stored a device runs what it has, in whatever order of devices, and one that was left out may
// come in. What nobody left has anybody may run: it has to be sent in any case. Of the two the one is taken after
// which the run ends sooner: the weights that devices lack are sent, the states of the requests rebuilt, and the
// rest of the run played (forecast.h).
// Pure functions of a snapshot. Units: seconds, bytes. Determinism: as the run's planner.
// Errors: InfeasibleError as plan_for_remaining().

#include <string>
#include <vector>

#include "runtime/balance/forecast.h"
#include "runtime/plan/membership.h"
#include "runtime/plan/plan_request.h"

namespace lingua {

// A run at the moment of a loss.
struct LossSnapshot {
  std::string planner;                   // of the run
  const PlanRequest* request = nullptr;  // as the run was planned; its cluster is not looked at
  ClusterSpec present;                   // whole, as it is measured
  Membership left;
  Held held;  // what devices had, those that are lost too
  std::vector<RequestLeft> requests;
  const Plan* anew = nullptr;  // the plan anew, where it is known
};

enum class RecoveryKind { kAnew, kStored };

struct RecoveryChoice {
  RecoveryKind kind = RecoveryKind::kAnew;
  Plan plan;  // with what its devices keep of what they had, as far as memory holds it
  double weights_bytes = 0;  // that its devices lack
  double sending_s = 0;      // until they have them
  double rebuild_s = 0;      // and the requests that ran their next token
  double rest_s = 0;         // and all are answered

  double total_s() const { return sending_s + rebuild_s + rest_s; }
};

RecoveryChoice choose_recovery(const LossSnapshot& snapshot);

}  // namespace lingua
