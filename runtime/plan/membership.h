#pragma once
// What is left of a cluster. A plain value.

#include <set>
#include <utility>

#include "runtime/device/spec.h"

namespace lingua {

struct Membership {
  std::set<DeviceName> lost;                        // devices
  std::set<std::pair<DeviceName, DeviceName>> cut;  // links between others: from whom to whom
};

}  // namespace lingua
