#pragma once
// The coordinator's loop that measures devices and the links between all of them, one after the other.
//
// It runs over the seam, in every world, with run_worker() on the devices. Devices are measured one by one, since
// those of one machine share it, and in rounds; so are links, but for what shows whether they share a medium.
// Threads: runs in the caller's thread. What devices say is checked.
// Errors: WorldError with the device that is lost, does not answer in time or answers nonsense, or that is told to
// end; the devices are not told to stop.

#include <functional>

#include "runtime/device/mailbox.h"
#include "runtime/measure/measurement.h"

namespace lingua {

struct MeasureJob {
  std::vector<DeviceSpec> devices;  // as they say they are
  bool quick = false;               // a third of the time, with larger spreads; memory is not tried
  // `done` of `total` steps, and what the next one is.
  std::function<void(double done, double total, const std::string& next)> progress = {};
};

// REQUIRES: one device or more.
Measurement measure_cluster(Mailbox& mailbox, const MeasureJob& job);

}  // namespace lingua
