#pragma once
// The coordinator loop: deploys a plan, submits the requests, gathers what came of them.
//
// It sees control traffic only: activations go from phone to phone, tokens from tailer to header.
// Threads: runs in the caller's thread. Determinism: as its Device's.
// Errors: WorldError when a device of the plan is lost, fails or answers nonsense: one line with
// who, which segments, why, and how far the run had come. However it ends, every device is told to
// stop.

#include <functional>
#include <optional>
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
  // Called as things happen; may be empty.
  std::function<void(double bytes, double total)> on_weights;
  std::function<bool(const TokenMade&)> on_token;  // false: this request shall end now
  std::function<void(const Done&)> on_done;
};

struct RunResult {
  std::vector<Done> answers;  // in the order in which they were submitted
  EventLog log;               // of all devices, sorted
};

// Runs a job from deployment to the last answer and stops the devices.
RunResult run_coordinator(Device& device, const CoordinatorJob& job);

}  // namespace lingua
