#pragma once
// The telemetry of this machine and process, from Linux's files.
//
// They are opened once and stay open: a confined process (trust/confine.h) opens none.

#include <filesystem>

#include "runtime/base/units.h"
#include "runtime/device/spec.h"
#include "runtime/net/tcp.h"

namespace lingua::internal {

// Threads: one at a time.
class LocalTelemetry {
 public:
  // `sensors` has the folders power_supply and thermal, as the kernel lays them out.
  explicit LocalTelemetry(const std::filesystem::path& sensors);
  // What cannot be read keeps its default, and a battery that is none is below 0. `load` counts since the
  // reading before.
  Telemetry read();

 private:
  FileDescriptor memory_;
  FileDescriptor temperature_;
  FileDescriptor battery_;
  double cores_ = 1;
  double wall_s_ = 0;
  double cpu_s_ = 0;
};

}  // namespace lingua::internal
