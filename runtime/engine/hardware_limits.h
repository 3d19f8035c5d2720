#pragma once
// When a device works no longer, to spare its battery or because it is hot, and when it does again.
//
// Pure. What is not known never keeps a device from working. Units: shares of a full charge, degrees Celsius.

#include <optional>
#include <string>

#include "runtime/base/units.h"
#include "runtime/device/spec.h"

namespace lingua {

struct HardwareLimits {
  std::optional<double> battery_floor;  // below which it leaves
  std::optional<double> heat_limit_c;   // above which it leaves
  Seconds look_every{5};
  bool any() const { return battery_floor || heat_limit_c; }
};

// A device that has left comes back when it is so far from the limit.
inline constexpr double kBatteryMargin = 0.05;
inline constexpr double kHeatMarginC = 5;

// Why a device leaves: "battery at 9 %, floor 10 %"; empty while it need not.
std::string reason_to_leave(const HardwareLimits& limits, const Telemetry& telemetry);
// Why it does not join: "battery at 12 %, it joins from 15 %"; empty where nothing is in the way.
std::string reason_to_stay_away(const HardwareLimits& limits, const Telemetry& telemetry);

}  // namespace lingua
