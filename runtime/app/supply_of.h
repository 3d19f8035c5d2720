#pragma once
// What devices and links give as a run goes on, from a file or a specification.

#include <cstdint>
#include <string>

#include "runtime/app/setting.h"
#include "runtime/supply/supply.h"

namespace lingua {

void visit_supply(std::string& supply, SettingVisitor& visitor);

// Of a file or a specification; nothing of no text. Errors: UsageError, InputError; of a device that comes
// back too, unless it `may_come_back`.
SupplyTrace supply_of(const std::string& text, const ClusterSpec& cluster, std::uint64_t seed,
                      bool may_come_back = false);

}  // namespace lingua
