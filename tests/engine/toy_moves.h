#pragma once
// Plans that change while the toy model runs.

#include <utility>
#include <vector>

#include "tests/support/toy_run.h"

namespace lingua::testing {

inline const std::vector<DeviceName> kToyDevices = {"a", "b", "c", "d"};

inline Deployment moved(const Deployment& before, std::vector<Stage> stages) {
  Deployment next = before;
  next.plan.stages = std::move(stages);
  next.plan.transfers = transfers_of(*before.segmentation, next.plan.stages, before.communication);
  return next;
}

// Devices as ToyRun has them.
inline ClusterSpec toy_cluster() {
  ClusterSpec cluster;
  cluster.default_link = ToyRun().link;
  for (const DeviceName& name : kToyDevices)
    cluster.devices.push_back({name, 1e9, 1e9, 1e9, 1, Seconds(0)});
  return cluster;
}

}  // namespace lingua::testing
