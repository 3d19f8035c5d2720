#pragma once
// Small simulated clusters for tests: one per process.

#include <fmt/format.h>

#include <map>
#include <string>
#include <vector>

#include "sim/cluster/sim_cluster.h"
#include "tests/contract/message_bytes.h"

namespace lingua::testing {

// Devices a, b, c, ...: 1 GFLOP/s, 1 MB of memory, links of 1 MB/s and 10 ms.
inline ClusterSpec small_cluster(int devices) {
  ClusterSpec cluster;
  cluster.name = "lab";
  cluster.default_link = {1e6, Seconds(0.01)};
  for (int i = 0; i < devices; ++i) {
    DeviceSpec device;
    device.name =
        devices <= 26 ? std::string(1, static_cast<char>('a' + i)) : fmt::format("d{}", i);
    device.flops_per_s = 1e9;
    device.memory_bytes_per_s = 1e10;
    device.memory_bytes = 1e6;
    cluster.devices.push_back(device);
  }
  return cluster;
}

inline SimOptions shape_options() {
  return {message_bytes, [](const DeviceSpec&) { return make_shape_executor(); }};
}

// A message of `bytes` on the wire (at least 100), and its number.
inline MessageBody payload(std::int64_t bytes, std::int64_t number = 0) {
  Activations message;
  message.step_index = number;
  message.values = {0};
  message.tensors = {Tensor{DType::kUInt8, {bytes - 100}, nullptr}};
  return message;
}

inline std::int64_t number_of(const Message& message) {
  return std::get<Activations>(message.body).step_index;
}

// A segment that takes this long on a device of small_cluster.
inline Segment busy_segment(SegmentId id, double seconds) {
  Segment segment;
  segment.id = id;
  segment.name = "busy";
  segment.flops = seconds * 1e9;
  return segment;
}

inline void compute(Device& device, double seconds) {
  device.executor().load(busy_segment(0, seconds), "", {});
  device.executor().run(0, {}, {});
}

}  // namespace lingua::testing
