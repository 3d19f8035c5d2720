#pragma once
// Which request enters the pipeline next, and which ready step a device runs next.
//
// Policies take values and return indices; they hold no device and no clock.
// Order: first come, first served; among equals the older request. A request therefore never waits
// for one that came later.

#include <cstddef>
#include <vector>

#include "runtime/device/message.h"

namespace lingua {

struct ReadyStep {
  Epoch epoch = 0;
  RequestId request = 0;
  std::int64_t step_index = 0;
  Seconds ready_since{0};
};

// The place in `ready` of the step to run next. REQUIRES: ready is not empty.
std::size_t next_step(const std::vector<ReadyStep>& ready);

// How many of the waiting requests to submit now, so that no more than `limit` are in flight.
int admissions(int waiting, int in_flight, int limit);

}  // namespace lingua
