#pragma once
// Clusters that lose a device, with little or much memory, and slow or fast links from the coordinator.

#include <set>

#include "runtime/balance/stored_plan.h"
#include "runtime/base/random.h"
#include "runtime/planner/planner.h"
#include "tests/planner/random_instance.h"

namespace lingua::testing {

struct LossyCluster {
  // `memory`: of each device, in models.
  LossyCluster(std::uint64_t seed, int segments, int devices, double memory,
               double coordinator_bytes_per_s)
      : rng(seed) {
    instance.segmentation = random_segmentation(segments, Paths::kChain, rng);
    instance.workload.prompt_tokens = 10;
    instance.workload.max_tokens = 20;
    instance.workload.requests = 2;
    instance.cluster = random_cluster(devices, need_bytes(instance), 1, rng);
    for (DeviceSpec& device : instance.cluster.devices)
      device.memory_bytes = memory * need_bytes(instance) * rng.uniform(0.8, 1.25);
    ClusterSpec& cluster = instance.cluster;
    cluster.header.clear();
    cluster.shared_bytes_per_s = 0;
    for (const DeviceSpec& from : cluster.devices) {
      for (const DeviceSpec& to : cluster.devices) {
        if (from.name != to.name)
          cluster.links.emplace(std::pair(from.name, to.name), cluster.default_link);
      }
    }
    cluster.default_link.bytes_per_s = coordinator_bytes_per_s;
    request = instance.request(Objective::kLatency);
  }
  LossyCluster(const LossyCluster&) = delete;
  LossyCluster& operator=(const LossyCluster&) = delete;

  // Each device runs a part, in the order of the cluster.
  Plan even_plan() const { return make_plan("even", request); }

  LossSnapshot loss(const DeviceName& device, const Held& held) const {
    LossSnapshot snapshot;
    snapshot.planner = "dp";
    snapshot.request = &request;
    snapshot.present = instance.cluster;
    snapshot.left.lost = {device};
    snapshot.held = held;
    snapshot.requests = {{10, 10, 20, true}};
    return snapshot;
  }

  Rng rng;
  Instance instance;
  PlanRequest request;
};

}  // namespace lingua::testing
