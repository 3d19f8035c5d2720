#include "runtime/engine/hardware_limits.h"

#include <fmt/format.h>

#include <algorithm>

namespace lingua {
namespace {

constexpr double kRounding = 1e-9;

std::string reason(const HardwareLimits& limits, const Telemetry& telemetry, double battery_margin,
                   double heat_margin_c, const char* battery_limit, const char* heat_limit) {
  if (limits.battery_floor && telemetry.battery >= 0) {
    const double floor = std::min(*limits.battery_floor + battery_margin, 1.0);
    if (telemetry.battery < floor - kRounding) {
      return fmt::format("battery at {:.3g} %, {} {:.3g} %", telemetry.battery * 100, battery_limit,
                         floor * 100);
    }
  }
  const double celsius = telemetry.temperature_c;
  if (limits.heat_limit_c && celsius != 0) {
    const double limit = *limits.heat_limit_c - heat_margin_c;
    if (celsius > limit)
      return fmt::format("temperature {:.3g} C, {} {:.3g} C", celsius, heat_limit, limit);
  }
  return "";
}

}  // namespace

std::string reason_to_leave(const HardwareLimits& limits, const Telemetry& telemetry) {
  return reason(limits, telemetry, 0, 0, "floor", "limit");
}

std::string reason_to_stay_away(const HardwareLimits& limits, const Telemetry& telemetry) {
  return reason(limits, telemetry, kBatteryMargin, kHeatMarginC, "it joins from", "it joins up to");
}

}  // namespace lingua
