#pragma once
// The worker loop: what every phone runs, in every world.
//
// It stores the segments that the coordinator gives it, runs its run of them for each step as soon
// as all inputs are there, and sends each result straight to the devices that need it. The device
// of the first segment is the header (it holds the requests), that of the last the tailer (it
// chooses the tokens); both are ordinary workers besides. A header that is the tailer too, with
// others between, has two runs: then prompts, tokens and logits stay on it.
// Threads: runs in the caller's thread until it is told to stop.
// Before weights come it tries the way to each device that it will send to (Probe).
// Errors: what goes wrong here, and the loss of another device, is reported to the coordinator
// (Failed, LinkLost), which decides; the loop then waits to be stopped. CoordinatorLost when it
// is lost itself. HasLeft when the device has come to a limit of its hardware.

#include "runtime/base/errors.h"
#include "runtime/device/device.h"
#include "runtime/device/weight_cache.h"
#include "runtime/engine/hardware_limits.h"
#include "runtime/engine/sampler.h"

namespace lingua {

class CoordinatorLost : public WorldError {
 public:
  explicit CoordinatorLost(const std::string& reason)
      : WorldError("the coordinator was lost: " + reason) {}
};

// It has told the coordinator why, and ends.
class HasLeft : public WorldError {
 public:
  explicit HasLeft(const std::string& reason) : WorldError("it has left: " + reason) {}
};

struct WorkerOptions {
  // Without one, tokens are chosen greedily and a request that asks for anything else is refused.
  Sampler sampler;
  // Where weights are kept from one run to the next; null: nowhere. REQUIRES: outlives the worker.
  WeightCache* cache = nullptr;
  // Looked at between steps.
  HardwareLimits limits = {};
};

void run_worker(Device& device, const WorkerOptions& options);

}  // namespace lingua
