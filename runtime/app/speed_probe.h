#pragma once
// How fast this machine computes, by a short probe: a device says so when it joins.
//
// Units: per second. Not deterministic. Errors: WorldError.

#include "runtime/device/device.h"

namespace lingua {

// In fp32, medians: of products of matrices, as prompts are, and of reading a matrix that no cache holds, as for
// tokens. Takes about a second, and 128 MiB meanwhile.
DeviceSpeed measure_speed(Executor& executor);

}  // namespace lingua
