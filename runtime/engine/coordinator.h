#pragma once
// The coordinator loop: deploys a plan, submits the requests, gathers what came of them.
//
// It sees control traffic only: activations go from phone to phone, tokens from tailer to header.
// Threads: runs in the caller's thread. Determinism: as its Device's.
// Errors: WorldError when a device of the plan is lost, fails or answers nonsense, when two devices
// cannot reach each other, or when nothing moves any more: one line with who, which segments, why,
// and how far the run had come. However it ends, every device is told to
// stop.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "runtime/device/device.h"
#include "runtime/engine/deployment.h"
#include "runtime/events/event_log.h"

namespace lingua {

struct CoordinatorJob {
  Deployment deployment;
  std::vector<Submit> requests;  // submitted in this order
  // Asked for one more request when those are submitted and there is room; it may take its time (a
  // person types). Nothing: there will be no more. Empty: the same.
  std::function<std::optional<Submit>()> next_request;
  int in_flight = 1;
  // For how long a device may give no sign of what it does while nothing else comes: then the run
  // ends. See stall_watch.h; kNever where the world itself sees a standstill.
  Seconds stall_timeout = kNever;
  // How long the loss of a link between two devices waits for that of a device to explain it.
  Seconds settle{1};
  // Called as things happen; may be empty.
  std::function<void(double bytes, double total)> on_weights;
  std::function<bool(const TokenMade&)> on_token;  // false: this request shall end now
  std::function<void(const Done&)> on_done;
};

struct RunResult {
  std::vector<Done> answers;  // in the order in which they were submitted
  EventLog log;               // of all devices, sorted
  Seconds deployment{0};      // until the devices had their weights
  // What is missing from the log and why: the answers were there already.
  std::vector<std::string> notes;
};

// Runs a job from deployment to the last answer and stops the devices.
RunResult run_coordinator(Device& device, const CoordinatorJob& job);

}  // namespace lingua
