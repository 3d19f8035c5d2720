#pragma once
// Quantities with units, as files and the command line write them, and as people read them.
//
// Units: bytes, bytes per second, FLOP per second, seconds, watts, joules and shares of a whole, all as
// double, decimal prefixes (kB = 1000 B) unless written KiB, MiB, GiB. Bits are accepted for rates
// ("54 Mbit/s"), watt hours for joules ("17 Wh"); a share is written in percent ("65 %" is 0.65).
// Errors: parse_quantity throws InputError that names the text and the units it would accept; the
// caller puts the file and field before it.

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

namespace lingua {

// The one type of time: an instant is the time since the run began.
using Seconds = std::chrono::duration<double>;

enum class Unit {
  kBytes,
  kBytesPerSecond,
  kFlopsPerSecond,
  kSeconds,
  kWatts,
  kJoules,
  kShare,
  kPlain
};

// Reads "20 GFLOP/s", "10 GB/s", "8 GB", "2 ms". A number without a unit is refused unless the unit
// is kPlain, and so are negative, infinite and not-a-number values, and shares above 100 %.
double parse_quantity(std::string_view text, Unit unit);

// "8.00 GB", "1.25 MB/s", "52.0 GFLOP/s", "12.3 ms", "440 mW", "61.2 kJ", "65.0 %": three significant
// digits.
std::string format_quantity(double value, Unit unit);
std::string format_bytes(double bytes);
std::string format_seconds(double seconds);

// Two quantities with as many digits more as tell them apart, when they differ: "819.21 MB" beside
// "819.20 MB".
std::pair<std::string, std::string> format_apart(double a, double b, Unit unit);

}  // namespace lingua
