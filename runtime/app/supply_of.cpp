#include "runtime/app/supply_of.h"

#include <filesystem>

#include "runtime/supply/generate.h"
#include "runtime/supply/supply_file.h"

namespace lingua {

void visit_supply(std::string& supply, SettingVisitor& visitor) {
  visitor.take(
      Setting("supply", &supply,
              "what devices and links give as the run goes on: a file (traces/devices/README.md), "
              "or slow:DEVICE:TIME:FACTOR, steps:, floor:, background:, bandwidth:, fading:, "
              "leaves:, joins: or away:DEVICE:TIME:SPAN. Plans know nothing of it")
          .called("FILE|SUPPLY"));
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
