#pragma once
// The telemetry of this machine and process, from Linux's files.

#include "runtime/base/units.h"
#include "runtime/device/spec.h"

namespace lingua::internal {

// Threads: one at a time.
class LocalTelemetry {
 public:
  LocalTelemetry();
  // What cannot be read keeps its default. `load` counts since the reading before.
  Telemetry read();

 private:
  double wall_s_ = 0;
  double cpu_s_ = 0;
};

}  // namespace lingua::internal
