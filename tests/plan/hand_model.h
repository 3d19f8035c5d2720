#pragma once
// Three segments on three devices, with numbers small enough to compute by hand.
//
// Value 0 is the input; segment 0 makes 1 (used by 1) and 3 (used by 2: a residual transfer when the
// three run apart), segment 1 makes 2 (used by 2), segment 2 makes 4, the output. The first and the
// last segment share the weight "tied".

#include <fmt/format.h>

#include "runtime/planner/planner.h"
#include "tests/plan/hand_sizes.h"

namespace lingua::testing {

inline TensorSpec hand_tensor(ValueId id, double bytes_per_token) {
  const StepFunction bytes({0, bytes_per_token, 0, 0, 0, 0});
  return {id, fmt::format("v{}", id), DType::kFloat32, true, {}, bytes};
}

inline Segmentation hand_model() {
  Segmentation model;
  model.model = "hand";
  model.model_inputs = {hand_tensor(0, 8)};
  model.model_outputs = {4};
  model.segments.resize(3);
  const TensorSpec a = hand_tensor(1, 1000);
  const TensorSpec b = hand_tensor(2, 100);
  const TensorSpec skip = hand_tensor(3, 500);
  model.segments[0].inputs = model.model_inputs;
  model.segments[0].outputs = {a, skip};
  model.segments[1].inputs = {a};
  model.segments[1].outputs = {b};
  model.segments[2].inputs = {b, skip};
  model.segments[2].outputs = {hand_tensor(4, 40)};
  const double flops[] = {2e8, 4e8, 1e8};
  for (SegmentId id = 0; id < 3; ++id) {
    Segment& segment = model.segments[id];
    segment.id = id;
    segment.name = fmt::format("part {}", id);
    segment.flops = StepFunction({0, flops[id], 0, 0, 0, 0});
    segment.weights = {{fmt::format("w{}", id), DType::kFloat32, {1000 * (id + 1)}}};
    segment.state = {{10 + id, "kv", DType::kFloat32, {kCapacity, 100}}};
  }
  model.segments[0].weights.push_back({"tied", DType::kFloat32, {5000}});
  model.segments[2].weights.push_back({"tied", DType::kFloat32, {5000}});
  return model;
}

inline ClusterSpec hand_cluster() {
  ClusterSpec cluster;
  cluster.name = "three";
  cluster.default_link = {1e6, Seconds(0.04)};
  for (const auto& [name, flops] :
       {std::pair{"A", 1e9}, std::pair{"B", 2e9}, std::pair{"C", 1e9}}) {
    DeviceSpec device;
    device.name = name;
    device.flops_per_s = flops;
    device.memory_bytes_per_s = 1e12;
    device.memory_bytes = 1e6;
    cluster.devices.push_back(device);
  }
  cluster.links[{"A", "B"}] = {1e6, Seconds(0.01)};
  cluster.links[{"B", "C"}] = {1e5, Seconds(0.02)};
  cluster.links[{"A", "C"}] = {2e3, Seconds(0.03)};
  return cluster;
}

inline Workload hand_workload() {
  return {.prompt_tokens = 10, .max_tokens = 2, .messages = kHandSizes};
}

inline Plan hand_plan() {
  Plan plan;
  plan.model = "hand";
  plan.cluster = "three";
  plan.planner = "by hand";
  plan.stages = {{"A", 0, 0, {}}, {"B", 1, 1, {}}, {"C", 2, 2, {}}};
  plan.transfers = transfers_of(hand_model(), plan.stages);
  return plan;
}

}  // namespace lingua::testing
