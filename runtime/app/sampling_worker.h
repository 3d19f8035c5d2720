#pragma once
// A worker's options with the sampler that `lingua` has.

#include "runtime/engine/worker.h"

namespace lingua {

WorkerOptions sampling_worker();

}  // namespace lingua
