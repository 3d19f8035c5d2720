#pragma once
// What is left of a cluster, and what of the model is left there. Plain values.

#include <map>
#include <set>
#include <utility>

#include "runtime/device/spec.h"
#include "runtime/model/segment.h"

namespace lingua {

struct Membership {
  std::set<DeviceName> lost;                        // devices
  std::set<std::pair<DeviceName, DeviceName>> cut;  // links between others: from whom to whom
};

// The segments whose weights devices have, by device.
using Held = std::map<DeviceName, std::set<SegmentId>>;

}  // namespace lingua
