#pragma once
// Small random planning problems: a chain of segments, a cluster and a workload from a seed.

#include <fmt/format.h>

#include <cctype>
#include <string>
#include <vector>

#include "runtime/base/random.h"
#include "runtime/planner/planner.h"
#include "tests/plan/hand_sizes.h"

namespace lingua::testing {

enum class Paths {
  kChain,     // each segment hands one value to the next
  kResidual,  // some values are used again later, and one by all segments
};

struct Instance {
  Segmentation segmentation;
  ClusterSpec cluster;
  Workload workload{.messages = kHandSizes};
  PlanRules rules;

  PlanRequest request(const Objective& objective) const {
    PlanRequest request;
    request.segmentation = &segmentation;
    request.cluster = &cluster;
    request.workload = workload;
    request.objective = objective;
    request.rules = rules;
    return request;
  }
};

// Each goal alone, sums that add up along a chain, and a sum in which requests in flight count.
inline std::vector<Objective> objectives() {
  return {Objective::kLatency,
          Objective::kTtft,
          Objective::kTpot,
          Objective::kThroughput,
          Objective::kEnergy,
          {.latency = 1, .energy = 0.3},
          {.ttft = 2, .throughput = 10, .energy = 0.1}};
}

// As a part of a test's name.
inline std::string test_name(const Objective& objective) {
  std::string name = objective_name(objective);
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
}

inline TensorSpec random_tensor(ValueId id, Rng& rng, double scale) {
  const auto width = static_cast<double>(1 + rng.below(static_cast<std::uint64_t>(scale)));
  const StepFunction tokens({0, 1, 0, 0, 0, 0});
  return {id,   fmt::format("v{}", id),        DType::kFloat32,
          true, {tokens, StepFunction(width)}, tokens * (4 * width)};
}

// Value 0 is the model's input, value i + 1 what segment i hands on, value segments + 1 a mask.
inline Segmentation random_segmentation(int segments, Paths paths, Rng& rng) {
  Segmentation model;
  model.model = "random";
  model.model_inputs = {random_tensor(0, rng, 1)};
  const TensorSpec mask = random_tensor(segments + 1, rng, 64);
  for (int i = 0; i < segments; ++i) {
    Segment segment;
    segment.id = i;
    segment.name = fmt::format("part {}", i);
    segment.inputs = {i == 0 ? model.model_inputs[0] : model.segments[i - 1].outputs[0]};
    if (paths == Paths::kResidual && i >= 2 && rng.below(2) == 0) {
      segment.inputs.push_back(model.segments[i - 2].outputs[0]);
    }
    if (paths == Paths::kResidual && i >= 1) segment.inputs.push_back(mask);
    segment.outputs = {random_tensor(i + 1, rng, 4000)};
    if (paths == Paths::kResidual && i == 0) segment.outputs.push_back(mask);
    segment.flops = StepFunction({1e6, rng.uniform(1e7, 2e8), 0, 1e4, 2e4, 0});
    segment.bytes_moved = StepFunction({rng.uniform(1e6, 4e7), 1e4, 3e4, 0, 0, 0});
    segment.weights = {{fmt::format("w{}", i),
                        DType::kFloat32,
                        {1000 * (250 + static_cast<std::int64_t>(rng.below(5000)))}}};
    if (i == 0 || i == segments - 1)
      segment.weights.push_back({"tied", DType::kFloat32, {2'000'000}});
    segment.state = {{segments + 2 + i, "kv", DType::kFloat32, {kCapacity, 256}}};
    model.segments.push_back(segment);
  }
  model.model_outputs = {segments};
  return model;
}

// The same with the last segments side by side, as the pieces of an LM head: each takes what the segment before
// them gives, and the last one joins what they make. REQUIRES: 1 < pieces < segments.
inline Segmentation with_pieces(Segmentation model, int pieces) {
  const std::size_t first = model.segments.size() - static_cast<std::size_t>(pieces);
  const TensorSpec given = model.segments[first - 1].outputs[0];
  for (std::size_t i = first; i < model.segments.size(); ++i) model.segments[i].inputs = {given};
  for (std::size_t i = first; i + 1 < model.segments.size(); ++i)
    model.segments.back().inputs.push_back(model.segments[i].outputs[0]);
  return model;
}

// `tightness`: the memory of all devices as a multiple of what the model needs is near 1 / tightness.
inline ClusterSpec random_cluster(int devices, double need_bytes, double tightness, Rng& rng) {
  ClusterSpec cluster;
  cluster.name = "random";
  cluster.default_link = {rng.uniform(3e5, 5e6), Seconds(rng.uniform(0, 0.05))};
  for (int d = 0; d < devices; ++d) {
    DeviceSpec device;
    device.name = fmt::format("phone{}", d);
    device.flops_per_s = rng.uniform(5e9, 6e10);
    device.memory_bytes_per_s = rng.uniform(2e9, 2e10);
    device.memory_bytes = need_bytes / (tightness * devices) * rng.uniform(0.4, 2);
    device.overhead = Seconds(rng.uniform(0, 1e-3));
    cluster.devices.push_back(device);
  }
  for (const DeviceSpec& from : cluster.devices) {
    for (const DeviceSpec& to : cluster.devices) {
      if (from.name == to.name || rng.below(4) == 0) continue;
      cluster.links[{from.name, to.name}] = {rng.uniform(3e5, 5e6), Seconds(rng.uniform(0, 0.1))};
    }
  }
  if (rng.below(2) == 0) cluster.header = fmt::format("phone{}", rng.below(devices));
  if (rng.below(3) == 0) cluster.shared_bytes_per_s = rng.uniform(1e6, 4e6);
  return cluster;
}

// Segments and links that are nearly alike, as a model's blocks are, one device for each stage or more.
inline Instance alike_instance(int segments, int devices, double need_bytes, Rng& rng) {
  Instance instance;
  instance.segmentation = random_segmentation(segments, Paths::kChain, rng);
  for (Segment& segment : instance.segmentation.segments) {
    segment.flops = StepFunction({0, rng.uniform(0.8e8, 1.2e8), 0, 0, 0, 0});
    segment.outputs[0].bytes = StepFunction({0, 6000, 0, 0, 0, 0});
  }
  instance.cluster = random_cluster(devices, need_bytes, 1, rng);
  instance.cluster.links.clear();
  instance.cluster.default_link = {1e7, Seconds(0.002)};
  return instance;
}

inline void give_power(ClusterSpec& cluster, Rng& rng) {
  for (DeviceSpec& device : cluster.devices) device.power_w = rng.uniform(0.5, 6);
  cluster.radio_power_w = rng.uniform(0.1, 2);
}

// Rules that do not contradict each other, each there or not.
inline PlanRules random_rules(const Instance& instance, Rng& rng) {
  PlanRules rules;
  const auto& devices = instance.cluster.devices;
  const auto any = [&] { return devices[rng.below(devices.size())].name; };
  rules.header = rng.below(2) == 0 ? any() : instance.cluster.header;
  if (rng.below(2) == 0) rules.tailer = any();
  rules.header_keeps =
      1 +
      static_cast<int>(rng.below(std::min<std::size_t>(3, instance.segmentation.segments.size())));
  if ((rules.tailer.empty() || rules.tailer == rules.header) && rng.below(2) == 0) {
    rules.header_keeps_last = static_cast<int>(rng.below(instance.segmentation.segments.size()));
  }
  const DeviceName excluded = any();
  if (excluded != rules.header && excluded != rules.tailer) rules.excluded = {excluded};
  return rules;
}

// Weights and states of all segments.
inline double need_bytes(const Instance& instance) {
  double need = 0;
  for (const Segment& segment : instance.segmentation.segments) {
    need += segment.weights_bytes() +
            instance.workload.in_flight * segment.state_bytes(instance.workload.capacity());
  }
  return need;
}

inline Instance random_instance(std::uint64_t seed, Paths paths, int most_segments = 7) {
  Rng rng(seed);
  Instance instance;
  instance.workload.prompt_tokens = 1 + static_cast<std::int64_t>(rng.below(30));
  instance.workload.max_tokens = static_cast<std::int64_t>(rng.below(20));
  instance.workload.kv_cache = rng.below(3) != 0;
  instance.workload.in_flight = 1 + static_cast<int>(rng.below(4));
  const int segments = 2 + static_cast<int>(rng.below(most_segments - 1));
  instance.segmentation = random_segmentation(segments, paths, rng);
  instance.cluster = random_cluster(2 + static_cast<int>(rng.below(3)), need_bytes(instance),
                                    rng.uniform(0.2, 1), rng);
  instance.workload.requests = static_cast<int>(rng.below(9));
  give_power(instance.cluster, rng);
  return instance;
}

}  // namespace lingua::testing
