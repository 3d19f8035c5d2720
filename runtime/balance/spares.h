#pragma once
// Spares: what devices store besides what they run, so that a run goes on after a loss without sending weights.
//
// Chosen so that the worst loss costs least, then the next worst, and so on: first the losses of one device, then
// of two, up to `copies`. What a loss costs is what recovery would make of it in the middle of the run
// (stored_plan.h): missing weights are sent, states rebuilt, and the rest of the run played on those that are
// left. Devices that run nothing may store too. In each device's memory what it runs and stores must fit with the
// states and activations of what it runs; after a loss it drops what then has no room.
// Method: for each loss the best plan anew for those left; where what all of them ask for has room, nothing is
// better. Else the losses take what has room in turn, in several orders; small problems are tried out. What then
// lacks copies is stored where there is room, beside what is there.
// Units: seconds, bytes. Determinism: as the planner, unless the request's time limit ends the search.
// Errors: UsageError for a number of copies below 1.

#include <string>
#include <vector>

#include "runtime/plan/membership.h"
#include "runtime/plan/plan_request.h"

namespace lingua {

struct SpareOptions {
  int copies = 1;  // of each segment, besides the one that runs
  int exact_bits =
      9;  // with so many choices of a device and a segment at most all storages are tried
};

// What becomes of a run that loses these devices.
struct LossOutcome {
  std::vector<DeviceName> lost;
  bool survives = false;     // those left can hold the model; else nothing else is set
  double weights_bytes = 0;  // that are sent
  double ready_s = 0;        // until those left could go on
  double total_s = 0;        // and until the run ends
  double tokens_per_s = 0;   // of the workload on what is left
};

struct SparesPlan {
  int copies = 1;
  Held stored;              // that devices store for it
  double stored_bytes = 0;  // besides what was there
  // Every loss has the plan that is the best anew, and nothing is sent; or all storages were tried.
  bool best = false;
  std::vector<LossOutcome>
      without;  // by the losses of one device that runs something, in pipeline order
  std::vector<LossOutcome> with;  // of the same
  std::vector<LossOutcome>
      several;  // with spares, of more than one device, as far as `copies` asks for them
  std::vector<SegmentId> lacking;  // stored on fewer others than `copies`, ascending
};

// `planner`: of the run, which a recovery asks. What the plan stores already stays.
SparesPlan plan_spares(const std::string& planner, const Plan& plan, const PlanRequest& request,
                       const SpareOptions& options);

// Lets the plan store that too; renews the memory of its estimate.
void apply_spares(const SparesPlan& spares, const PlanRequest& request, Plan* plan);

}  // namespace lingua
