#pragma once
// --supply: what devices and links give as a run goes on.

#include <cstdint>
#include <string>

#include "runtime/supply/supply.h"

namespace CLI {
class App;
}

namespace lingua {

void add_supply_option(CLI::App& app, std::string& supply);

// Of a file or a specification; nothing of no text. Errors: UsageError, InputError; of a device that comes
// back too, unless it `may_come_back`.
SupplyTrace supply_of(const std::string& text, const ClusterSpec& cluster, std::uint64_t seed,
                      bool may_come_back = false);

}  // namespace lingua
