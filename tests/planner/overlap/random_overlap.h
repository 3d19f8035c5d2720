#pragma once
// Plans, clusters and scenarios for which storing more than what runs matters.

#include <algorithm>
#include <vector>

#include "runtime/plan/run_memory.h"
#include "runtime/planner/overlap/secondary_plan.h"
#include "tests/planner/all_chains.h"
#include "tests/planner/random_instance.h"

namespace lingua::testing {

// A chain of three stages or more that fits, or two where none has three; no stages where there is none.
inline Plan random_chain(const PlanRequest& request, Rng& rng) {
  const PlanCosts costs(request);
  std::vector<std::vector<Run>> chains;
  std::size_t most_stages = 2;
  AllChains(costs, [&](const std::vector<Run>& runs) {
    const std::size_t stages = std::min<std::size_t>(runs.size(), 3);
    if (stages < most_stages || runs[0].last + 1 < request.rules.header_keeps) return;
    if (stages > most_stages) chains.clear();
    most_stages = stages;
    chains.push_back(runs);
  });
  Plan plan;
  if (chains.empty()) return plan;
  plan.stages = costs.stages(chains[rng.below(chains.size())]);
  plan.transfers = transfers_of(*request.segmentation, plan.stages);
  return plan;
}

// Makes storage scarce and worth having: each device gets what its run of the plan needs and a share of
// what its neighbours' would; devices are alike and links fast, so that boundaries move.
inline void make_storage_matter(const Plan& plan, Rng& rng, Instance* instance) {
  instance->cluster.shared_bytes_per_s *= 10;
  instance->cluster.default_link.bytes_per_s *= 10;
  for (auto& [pair, link] : instance->cluster.links) link.bytes_per_s *= 10;
  for (DeviceSpec& device : instance->cluster.devices) {
    device.flops_per_s = rng.uniform(2e10, 3e10);
    device.memory_bytes_per_s = rng.uniform(5e9, 8e9);
  }
  const std::size_t stages = plan.devices().size();
  for (std::size_t s = 0; s < stages; ++s) {
    const Stage& stage = plan.stages[s];
    RunMemory least(instance->workload);
    if (s == 0 && header_keeps_last(plan.stages) > 0)
      least.add(plan.stages.back(), instance->segmentation);
    least.add(stage, instance->segmentation);
    RunMemory most = least;
    if (s > 0) most.add(plan.stages[s - 1], instance->segmentation);
    if (s + 1 < stages) most.add(plan.stages[s + 1], instance->segmentation);
    instance->cluster.devices[instance->cluster.index_of(stage.device)].memory_bytes =
        least.total_bytes() + rng.uniform(0.2, 0.7) * (most.total_bytes() - least.total_bytes());
  }
}

// As many segments on each device, in the order of the cluster.
inline Plan even_chain(const PlanRequest& request) {
  const int segments = static_cast<int>(request.segmentation->segments.size());
  const int devices = static_cast<int>(request.cluster->devices.size());
  Plan plan;
  for (int d = 0; d < devices; ++d) {
    plan.stages.push_back({request.cluster->devices[d].name,
                           segments * d / devices,
                           segments * (d + 1) / devices - 1,
                           {}});
  }
  plan.transfers = transfers_of(*request.segmentation, plan.stages);
  return plan;
}

// A random model on devices that have, besides what an even plan needs, a share of the neighbours' runs.
inline Instance large_instance(int segments, int devices, double spare) {
  Rng rng(1);
  Instance instance;
  instance.workload = {.prompt_tokens = 16, .max_tokens = 16, .in_flight = 8, .requests = 32};
  instance.segmentation = random_segmentation(segments, Paths::kResidual, rng);
  instance.cluster = random_cluster(devices, 1, 1, rng);
  instance.cluster.header.clear();
  const Plan plan = even_chain(instance.request(Objective::kLatency));
  make_storage_matter(plan, rng, &instance);
  for (const Stage& stage : plan.stages) {
    DeviceSpec& device = instance.cluster.devices[instance.cluster.index_of(stage.device)];
    device.memory_bytes =
        (1 + 2 * spare) * run_memory_bytes(instance.segmentation, stage.first_segment,
                                           stage.last_segment, instance.workload);
  }
  return instance;
}

inline std::vector<SlowDown> random_slow_downs(const Plan& plan, Rng& rng) {
  std::vector<SlowDown> slow_downs;
  for (const DeviceName& device : plan.devices()) {
    if (rng.below(4) == 0) continue;
    slow_downs.push_back({device, rng.uniform(0.5, 10), rng.uniform(0, 2)});
  }
  return slow_downs;
}

}  // namespace lingua::testing
