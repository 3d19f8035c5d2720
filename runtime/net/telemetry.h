#pragma once
// The telemetry of this machine and process, from Linux's files.
//
// They are opened once and stay open: a confined process (trust/confine.h) opens none. What is not there or cannot be
// read, as much on phones cannot, is not known.
//
// Temperature: of thermal/thermal_zone*, by `type`, the hottest of the processor's, which is what it is throttled by:
// "cpu-0-1", "cpuss-2", "mtktscpu", "BIG", "x86_pkg_temp". Where there is none the hottest of the SoC's ("soc_thermal"),
// else of the skin's ("skin-therm", "quiet-therm"), else what a PC's firmware says ("acpitz"). Batteries, chargers,
// power chips, radios and graphics are not looked at. The unit is the kernel's, thousandths of a degree; of phones
// whose numbers are too small for that, tenths or degrees. What cannot be a temperature is not known.
// Battery: all of power_supply/* whose `type` is Battery and whose `scope` is not Device (a mouse, a keyboard), each
// weighed by its `energy_full`, or `charge_full`, where all have it.

#include <filesystem>
#include <vector>

#include "runtime/base/units.h"
#include "runtime/device/spec.h"
#include "runtime/net/tcp.h"

namespace lingua::internal {

// Threads: one at a time.
class LocalTelemetry {
 public:
  // `sensors` has the folders power_supply and thermal, as the kernel lays them out.
  explicit LocalTelemetry(const std::filesystem::path& sensors);
  // What cannot be read keeps its default. `load` counts since the reading before.
  Telemetry read();
  // Of this process; 0: not known.
  double peak_memory_bytes() const;

 private:
  struct Battery {
    FileDescriptor percent;
    double weight = 1;
  };
  static std::vector<Battery> open_batteries(const std::filesystem::path& supplies);

  FileDescriptor memory_;
  FileDescriptor status_;
  std::vector<FileDescriptor> temperatures_;
  std::vector<Battery> batteries_;
  double cores_ = 1;
  double wall_s_ = 0;
  double cpu_s_ = 0;
};

}  // namespace lingua::internal
