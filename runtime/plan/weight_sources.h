#pragma once
// Who sends which weight to a device that lacks it, so that the last of them has come soonest.
//
// Pure functions of values. What a part of the network carries takes bytes / its bandwidth, and all parts work at
// once: sending takes as long as its busiest part, and a latency. The work of others on the network is not counted.
// Each weight, the largest first, goes the way that is free soonest, or the way that is fastest alone, whichever
// choice turns out better; then weights leave the busiest part while that helps. Near the best and not always it.
// Where it makes no difference the coordinator sends: no request waits for its radio.
// Determinism: by the arguments. Units: bytes, seconds.

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "runtime/device/spec.h"

namespace lingua {

struct WeightNeed {
  DeviceName device;
  double bytes = 0;
  std::vector<DeviceName> held_by;  // other devices
};

struct WeightWays {
  const ClusterSpec* cluster = nullptr;
  double bytes_per_s = 0;  // that each sender sends at most; 0: no bound
  std::set<std::pair<DeviceName, DeviceName>> cut = {};  // links, in whatever direction
};

// For each need, who sends: a device that holds it, or the coordinator. REQUIRES: the cluster has all devices.
std::vector<DeviceName> weight_sources(const std::vector<WeightNeed>& needs,
                                       const WeightWays& ways);

// Until all has come from these sources; 0 for nothing.
double weights_sending_s(const std::vector<WeightNeed>& needs,
                         const std::vector<DeviceName>& sources, const WeightWays& ways);

}  // namespace lingua
