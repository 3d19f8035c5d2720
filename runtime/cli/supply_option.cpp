#include "runtime/cli/supply_option.h"

#include <CLI/CLI.hpp>
#include <filesystem>

#include "runtime/supply/generate.h"
#include "runtime/supply/supply_file.h"

namespace lingua {

void add_supply_option(CLI::App& app, std::string& supply) {
  app.add_option(
         "--supply", supply,
         "what devices and links give as the run goes on: a file (traces/devices/README.md), or "
         "slow:DEVICE:TIME:FACTOR, steps:, floor:, background:, bandwidth:, fading:, leaves:, "
         "joins: "
         "or away:DEVICE:TIME:SPAN. Plans know nothing of it")
      ->type_name("FILE|SUPPLY");
}

SupplyTrace supply_of(const std::string& text, const ClusterSpec& cluster, std::uint64_t seed,
                      bool may_come_back) {
  if (text.empty()) return {};
  const bool may_be_file = text.find(':') == std::string::npos || std::filesystem::exists(text);
  SupplyTrace supply = !is_supply_spec(text) && may_be_file ? read_supply(text, cluster)
                                                            : generate_supply(text, cluster, seed);
  if (!may_come_back) departures_only(supply);
  return supply;
}

}  // namespace lingua
