#pragma once
// What is left of a cluster, and what was done when something of it was lost.
//
// Plain values. Units: seconds of the run's clock, bytes.

#include <set>
#include <string>
#include <utility>

#include "runtime/device/spec.h"

namespace lingua {

struct Membership {
  std::set<DeviceName> lost;                        // devices
  std::set<std::pair<DeviceName, DeviceName>> cut;  // links, from whom to whom, between others
};

// A loss after which the run went on.
struct Recovery {
  std::string why;           // in one line: who was lost, and what of the model with it
  Seconds lost{0};           // when it was seen
  Seconds ready{0};          // when the devices that are left could go on
  double weights_bytes = 0;  // that were sent for it
  int requests = 0;          // that begin again with the tokens they have
};

}  // namespace lingua
