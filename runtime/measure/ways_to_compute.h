#pragma once
// With how many threads, and on which of its cores, a device is tried.

#include <vector>

#include "runtime/device/spec.h"

namespace lingua {

// In the order in which they are tried: of two that are as fast the first is best, which has fewer threads.
// Powers of two up to all cores, and these. Where cores are of several kinds, so of each kind by itself, and one thread
// for each core of the fastest kinds together. Threads that the device has chosen are no others.
std::vector<Computing> ways_to_compute(const DeviceSpec& device);

}  // namespace lingua
