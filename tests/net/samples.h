#pragma once
// One message of every kind, with all fields set and with data in every tensor.

#include <vector>

#include "runtime/device/message.h"

namespace lingua {

inline Tensor sample_tensor(DType dtype, const std::vector<std::int64_t>& shape) {
  Tensor tensor{dtype, shape, nullptr};
  auto memory = allocate_bytes(tensor.bytes());
  for (std::int64_t i = 0; i < tensor.bytes(); ++i) memory.get()[i] = static_cast<std::byte>(i * 7);
  tensor.data = std::move(memory);
  return tensor;
}

inline Segment sample_segment(SegmentId id) {
  const StepFunction tokens({0, 1, 0, 0, 0, 0});
  Segment segment;
  segment.id = id;
  segment.name = "h.3 attention";
  segment.first_node = 10;
  segment.last_node = 20;
  segment.recomputed = {1, 2, 7};
  segment.step_scalars = {StepScalar::kNewTokens, StepScalar::kCachedTokens};
  segment.inputs = {{4, "hidden", DType::kFloat32, true, {1, tokens, 64}, tokens * 256},
                    {5, "count", DType::kInt64, false, {}, 8}};
  segment.state = {{6, "k", DType::kBFloat16, {1, 4, kCapacity, 16}}};
  segment.weights = {{"h.3.q.weight", DType::kInt8, {64, 64}},
                     {"h.3.q.bias", DType::kFloat32, {64}}};
  segment.outputs = {{7, "hidden", DType::kFloat32, true, {1, tokens, 64}, tokens * 256}};
  segment.flops = StepFunction({1, 2, 3, 4, 5, 6.5});
  segment.bytes_moved = 1e6;
  segment.weights_read = 4e5;
  segment.inner_bytes = {StepFunction({0, 4, 0, 0, 64, 0}), 300.0};
  return segment;
}

inline Prepare sample_prepare() {
  Prepare m;
  m.epoch = 3;
  m.segments = {sample_segment(2), sample_segment(3)};
  m.runs = {{2, 2}, {3, 3}};
  m.has_data = true;
  m.routes = {{7, {"phone1", "phone2"}}, {9, {}}};
  m.model_inputs = sample_segment(0).inputs;
  m.model_outputs = {90, 91};
  m.header = "phone0";
  m.tailer = "phone2";
  m.threads = 2;
  m.segmentation = "0123456789abcdef";
  m.senders = {"phone0", "phone1"};
  m.scheduling = {Policy::kShortestFirst, 8, kAutoChunk};
  m.stages = 3;
  m.replaces_all = true;
  m.communication = {WireType::kInt8, ResidualPath::kRelay, false};
  m.passing = sample_segment(1).outputs;
  for (const Segment& segment : m.segments) {
    for (const WeightSpec& weight : segment.weights)
      m.digests[weight.name] = digest_of(weight.name);
  }
  return m;
}

inline std::vector<MessageBody> sample_bodies() {
  const Tensor hidden = sample_tensor(DType::kFloat32, {1, 11, 64});
  const Tensor number = make_number(-5);
  const Tensor none = sample_tensor(DType::kFloat16, {0, 8});
  DeviceSpec spec{"phone1", 20e9, 10e9, 8e9, 4, Seconds(0.001), 3.5, 5e4, 0.25};
  EventRow row{"phone1->phone2", "transfer", 3, 4, 5, Seconds(1.5), Seconds(2), 4096};
  return {sample_prepare(),
          WeightChunk{3, "wte", 4096, sample_tensor(DType::kUInt8, {10000}), 0xfedcba9876543210ULL},
          Lacks{3, {2, 3}, {"wte", std::string("\0\xff", 2)}},
          SegmentProgram{3, 2, std::string(5000, 'p')},
          SegmentProgram{3, 3, std::string("\0\xff", 2)},
          WeightAck{3, "wte", 4096},
          Ready{3, 5e8},
          Retire{2},
          Failed{3, "no \xff memory"},
          Submit{8,
                 {make_int64_tensor({1, 2, 3}), number},
                 16,
                 27,
                 true,
                 {2, 0, 250879},
                 {0.7, 40, 0.9, 1.1, 64, 99},
                 3,
                 {17, 0},
                 Seconds(-1.5)},
          Activations{3,
                      8,
                      1,
                      {1, 11},
                      27,
                      {4, 5, 6},
                      {hidden, number, none},
                      {0.7, 40, 0.9, 1.1, 64, 99},
                      {1, kNoToken},
                      true},
          StepResult{3, 8, 1, 250879, {hidden}},
          Together{3,
                   {{3, 8, 1, {1, 11}, 27, {4}, {hidden}, {}, {}},
                    {3, 9, 4, {1, 40}, 90, {4, 5}, {hidden, none}, {}, {}}},
                   {{3, 8, 1, 17, {}}, {3, 9, 4, kNoToken, {}}}},
          TokenMade{8, 1, 17},
          Done{8, {17, kNoToken, 0}, {hidden, none}, Ending::kCancelled},
          Refused{8, "no \xff room"},
          Cancel{8},
          Release{8},
          AskEvents{},
          Events{std::vector<EventRow>(5000, row)},
          Events{{row}, true},
          Hello{spec},
          AskTelemetry{},
          TelemetryReport{{4e9, 38.5, 0.75, 0.5}},
          Stop{},
          PeerLost{"the connection broke"},
          Probe{3},
          Reached{3, "phone1"},
          LinkLost{3, "phone2", "no \xff answer"},
          AskStanding{},
          Standing{true, 70, 69, "waits for step 3 of request 8"}};
}

}  // namespace lingua
