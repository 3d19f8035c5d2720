#include "runtime/base/units.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <span>

#include "runtime/base/errors.h"

namespace lingua {
namespace {

struct Scale {
  std::string_view name;
  double factor;
};

constexpr double kKi = 1024.0;
// The first name of each magnitude is the one that format_quantity uses.
constexpr std::array kByteScales = {
    Scale{"B", 1},     Scale{"kB", 1e3},  Scale{"MB", 1e6},       Scale{"GB", 1e9},
    Scale{"TB", 1e12}, Scale{"KiB", kKi}, Scale{"MiB", kKi* kKi}, Scale{"GiB", kKi* kKi* kKi},
};
constexpr std::array kByteRateScales = {
    Scale{"B/s", 1},          Scale{"kB/s", 1e3},
    Scale{"MB/s", 1e6},       Scale{"GB/s", 1e9},
    Scale{"bit/s", 1.0 / 8},  Scale{"kbit/s", 1e3 / 8},
    Scale{"Mbit/s", 1e6 / 8}, Scale{"Gbit/s", 1e9 / 8},
    Scale{"MiB/s", kKi* kKi}, Scale{"GiB/s", kKi* kKi* kKi},
};
constexpr std::array kFlopScales = {
    Scale{"FLOP/s", 1},    Scale{"kFLOP/s", 1e3},  Scale{"MFLOP/s", 1e6},
    Scale{"GFLOP/s", 1e9}, Scale{"TFLOP/s", 1e12},
};
constexpr std::array kTimeScales = {
    Scale{"s", 1}, Scale{"ms", 1e-3}, Scale{"us", 1e-6}, Scale{"min", 60}, Scale{"h", 3600},
};
constexpr std::array kPowerScales = {Scale{"W", 1}, Scale{"mW", 1e-3}, Scale{"kW", 1e3}};
constexpr std::array kEnergyScales = {
    Scale{"J", 1},    Scale{"uJ", 1e-6}, Scale{"mJ", 1e-3}, Scale{"kJ", 1e3},    Scale{"MJ", 1e6},
    Scale{"GJ", 1e9}, Scale{"mWh", 3.6}, Scale{"Wh", 3600}, Scale{"kWh", 3.6e6},
};
constexpr std::array kShareScales = {Scale{"%", 0.01}};

std::span<const Scale> scales_of(Unit unit) {
  switch (unit) {
    case Unit::kBytes: return kByteScales;
    case Unit::kBytesPerSecond: return kByteRateScales;
    case Unit::kFlopsPerSecond: return kFlopScales;
    case Unit::kSeconds: return kTimeScales;
    case Unit::kWatts: return kPowerScales;
    case Unit::kJoules: return kEnergyScales;
    case Unit::kShare: return kShareScales;
    case Unit::kPlain: return {};
  }
  return {};
}

std::string accepted(Unit unit) {
  if (unit == Unit::kShare) return "0 % to 100 %";
  std::string names;
  for (const Scale& scale : scales_of(unit)) {
    names += names.empty() ? "" : ", ";
    names += scale.name;
  }
  return (names.empty() ? "a plain number" : "a number and one of " + names) + ", not negative";
}

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// With so many digits more than three.
std::string format_with(double value, Unit unit, int more) {
  // Of a power of ten: its digits are the power itself.
  const double rounds_up = 1 - 0.0005 * std::pow(10.0, -more);
  Scale best{"", 0};
  for (const Scale& scale : scales_of(unit)) {
    const bool readable =
        scale.name.find_first_of("ibn") == std::string_view::npos && !scale.name.ends_with('h');
    if (!readable && scale.factor != 1) continue;
    const bool fits = std::abs(value) >= rounds_up * scale.factor;
    const bool better = best.factor == 0 || (fits && scale.factor > best.factor) ||
                        (std::abs(value) < best.factor && scale.factor < best.factor);
    if (better) best = scale;
  }
  if (best.factor == 0 || value == 0) best = {best.factor == 0 ? "" : scales_of(unit)[0].name, 1};
  const double scaled = value / best.factor;
  const double size = std::abs(scaled) / rounds_up;
  const int decimals = more + (size >= 100 ? 0 : size >= 10 ? 1 : 2);
  return fmt::format("{:.{}f}{}{}", scaled, decimals, best.name.empty() ? "" : " ", best.name);
}

}  // namespace

double parse_quantity(std::string_view text, Unit unit) {
  const std::string_view body = trim(text);
  double number = 0;
  const auto [rest, error] = std::from_chars(body.data(), body.data() + body.size(), number);
  const std::string_view suffix =
      error == std::errc() ? trim(body.substr(static_cast<size_t>(rest - body.data()))) : body;
  if (error == std::errc() && std::isfinite(number) && number >= 0) {
    if (unit == Unit::kPlain && suffix.empty()) return number;
    for (const Scale& scale : scales_of(unit)) {
      const double value = number * scale.factor;
      if (unit == Unit::kShare && value > 1) break;
      if (suffix == scale.name && std::isfinite(value)) return value;
    }
  }
  throw InputError(fmt::format("'{}' is not accepted; write {}", text, accepted(unit)));
}

std::string format_quantity(double value, Unit unit) { return format_with(value, unit, 0); }
std::string format_bytes(double bytes) { return format_quantity(bytes, Unit::kBytes); }
std::string format_seconds(double seconds) { return format_quantity(seconds, Unit::kSeconds); }

std::pair<std::string, std::string> format_apart(double a, double b, Unit unit) {
  constexpr int kMost = 12;  // digits of a double beyond the first three
  int more = 0;
  while (a != b && more < kMost && format_with(a, unit, more) == format_with(b, unit, more)) ++more;
  return {format_with(a, unit, more), format_with(b, unit, more)};
}

}  // namespace lingua
