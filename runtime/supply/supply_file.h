#pragma once
// Files of supplies, CSV:
//   time_s,device,speed,bandwidth,present,battery,temperature_c
//   20,oneplus-9,0.5,,,0.8,41.5
// A row says what changes of a device at a time: factors of the cluster file's speed and bandwidth, true or
// false, a share from 0 to 1, degrees Celsius. An empty cell is what it was, and what was never said is
// nominal. Columns may stand in any order; those but time_s and device may be missing. Rows are in the order
// of their times. RFC 4180; empty lines, CRLF and a byte order mark are taken.
//
// Errors: InputError with file, line, field and value, and what would be accepted.

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "runtime/supply/supply.h"

namespace lingua {

inline constexpr std::size_t kMostSupplyRows = 1'000'000;

SupplyTrace read_supply(const std::filesystem::path& file, const ClusterSpec& cluster);
// `file` stands in messages and as the supply's source.
SupplyTrace parse_supply(std::string_view text, const std::string& file,
                         const ClusterSpec& cluster);

// What is read from it is the same to the last bit. Devices of one time are in the order of their names.
std::string supply_csv(const SupplyTrace& supply);

}  // namespace lingua
