#pragma once
// Three phones with a plan whose boundaries can move, one of which has become slow.

#include <algorithm>
#include <limits>

#include "runtime/balance/policy.h"
#include "runtime/base/random.h"
#include "runtime/device/roofline.h"
#include "tests/planner/random_instance.h"

namespace lingua::testing {

struct SlowPhone {
  // phone1 takes `slowness` times as long.
  SlowPhone(std::uint64_t seed, double slowness) : slowness(slowness) {
    Rng rng(seed);
    instance.segmentation = random_segmentation(6, Paths::kChain, rng);
    instance.cluster = random_cluster(3, 1e12, 0.1, rng);
    instance.cluster.header = "phone0";
    instance.workload.prompt_tokens = 10;
    instance.workload.max_tokens = 40;
    request = instance.request(Objective::kLatency);
    plan.stages = {{"phone0", 0, 1, {2}}, {"phone1", 2, 3, {1, 4}}, {"phone2", 4, 5, {3}}};
    plan.transfers = transfers_of(instance.segmentation, plan.stages);
  }
  SlowPhone(const SlowPhone&) = delete;
  SlowPhone& operator=(const SlowPhone&) = delete;

  ClusterSpec present() const {
    ClusterSpec present = instance.cluster;
    present.devices[1].slow_down(slowness);
    return present;
  }
  Snapshot snapshot() const {
    return {"dp", &request, &plan, instance.cluster, present(), {{10, 1, 40, true}}};
  }

  double slowness;
  Instance instance;
  PlanRequest request;
  Plan plan;
};

}  // namespace lingua::testing
