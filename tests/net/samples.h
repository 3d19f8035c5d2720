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
  m.computing = {2, {1, 3}};
  m.segmentation = "0123456789abcdef";
  m.senders = {"phone0", "phone1"};
  m.scheduling = {Policy::kShortestFirst, 8, kAutoChunk};
  m.stages = 3;
  m.replaces_all = true;
  m.measuring = {Seconds(0.5), 20e9, 10e9, Seconds(0.001)};
  m.communication = {WireType::kInt8, ResidualPath::kRelay, false};
  m.passing = sample_segment(1).outputs;
  for (const Segment& segment : m.segments) {
    for (const WeightSpec& weight : segment.weights)
      m.digests[weight.name] = digest_of(weight.name);
  }
  return m;
}

inline WorkReport sample_report() {
  WorkReport m;
  m.epoch = 3;
  m.prompts = {4, 0.25, 0.5};
  m.links.push_back({"phone1", 2, 4096, 0.125});
  m.links.push_back({"no \xff name", -1, -2, -3});
  m.queued = 1;
  m.telemetry = {4e9, 38.5, 0.75, 0.5};
  return m;
}

// Of what devices give to each other.
inline std::vector<MessageBody> sample_transfers() {
  std::vector<MessageBody> bodies;
  bodies.emplace_back(SendWeights{3, "phone2", {"wte", std::string("\0\xff", 2)}, 65536, 8, 1e6});
  bodies.emplace_back(Suspend{3, 8, true, 4});
  bodies.emplace_back(Suspended{3, 8, 41});
  bodies.emplace_back(
      SendStates{4, "phone2", {2, 3}, {{8, 90, 0, 41}, {9, 64, 5, 6}}, 65536, 8, 1e6, true});
  bodies.emplace_back(StateChunk{
      4,
      8,
      2,
      90,
      0,
      41,
      {sample_tensor(DType::kBFloat16, {1, 4, 41, 16}), sample_tensor(DType::kFloat16, {0, 8})},
      true});
  bodies.emplace_back(StateAck{4, 8, 2, 40});
  bodies.emplace_back(WeightHeld{3, "phone2", std::string("\0\xff", 2), 65536, "no \xff good"});
  bodies.emplace_back(StatesHeld{4, "phone1", 8, "no \xff room"});
  return bodies;
}

// Of what measures devices and links.
inline std::vector<MessageBody> sample_exercises() {
  std::vector<MessageBody> bodies;
  bodies.emplace_back(
      Exercise{7, ExertionKind::kWeights, DType::kBFloat16, {4, {2, 3}}, Seconds(0.25)});
  bodies.emplace_back(Exercised{7, {0.05, 0.25}, {3, 12}, 5e8, "no \xff such dtype"});
  bodies.emplace_back(ExerciseLink{8, "phone2", 32, 65536, 16});
  bodies.emplace_back(Echo{8, 3, true});
  bodies.emplace_back(Bulk{8, 31, 32, sample_tensor(DType::kUInt8, {5000})});
  bodies.emplace_back(LinkTimes{8, "phone2", {0.001, 0.002}, {5.5, 5.75}, 5042});
  return bodies;
}

inline std::vector<MessageBody> sample_bodies() {
  const Tensor hidden = sample_tensor(DType::kFloat32, {1, 11, 64});
  const Tensor number = make_number(-5);
  const Tensor none = sample_tensor(DType::kFloat16, {0, 8});
  DeviceSpec spec{"phone1", 20e9, 10e9, 8e9, 4, Seconds(0.001), 3.5, 5e4, 0.25};
  EventRow row{"phone1->phone2", "transfer", 3, 4, 5, Seconds(1.5), Seconds(2), 4096};
  std::vector<MessageBody> bodies;
  bodies.emplace_back(sample_prepare());
  bodies.emplace_back(
      WeightChunk{3, "wte", 4096, sample_tensor(DType::kUInt8, {10000}), 0xfedcba9876543210ULL});
  bodies.emplace_back(Lacks{3, {2, 3}, {"wte", std::string("\0\xff", 2)}});
  bodies.emplace_back(SegmentProgram{3, 2, std::string(5000, 'p')});
  bodies.emplace_back(SegmentProgram{3, 3, std::string("\0\xff", 2)});
  bodies.emplace_back(WeightAck{3, "wte", 4096});
  bodies.emplace_back(Ready{3, 5e8});
  bodies.emplace_back(Retire{2});
  bodies.emplace_back(Failed{3, "no \xff memory"});
  bodies.emplace_back(Submit{8,
                             {make_int64_tensor({1, 2, 3}), number},
                             16,
                             27,
                             true,
                             {2, 0, 250879},
                             {0.7, 40, 0.9, 1.1, 64, 99},
                             3,
                             {17, 0},
                             Seconds(-1.5),
                             4});
  bodies.emplace_back(Activations{3,
                                  8,
                                  1,
                                  {1, 11},
                                  27,
                                  {4, 5, 6},
                                  {hidden, number, none},
                                  {0.7, 40, 0.9, 1.1, 64, 99},
                                  {1, kNoToken},
                                  true});
  bodies.emplace_back(StepResult{3, 8, 1, 250879, {hidden}});
  bodies.emplace_back(Together{3,
                               {{3, 8, 1, {1, 11}, 27, {4}, {hidden}, {}, {}},
                                {3, 9, 4, {1, 40}, 90, {4, 5}, {hidden, none}, {}, {}}},
                               {{3, 8, 1, 17, {}}, {3, 9, 4, kNoToken, {}}}});
  bodies.emplace_back(TokenMade{8, 1, 17});
  bodies.emplace_back(Done{8, {17, kNoToken, 0}, {hidden, none}, Ending::kCancelled});
  bodies.emplace_back(Refused{8, "no \xff room"});
  bodies.emplace_back(Cancel{8});
  bodies.emplace_back(Release{8});
  bodies.emplace_back(AskEvents{});
  bodies.emplace_back(Events{std::vector<EventRow>(5000, row)});
  bodies.emplace_back(Events{{row}, true});
  bodies.emplace_back(Hello{spec});
  bodies.emplace_back(AskTelemetry{});
  bodies.emplace_back(TelemetryReport{{4e9, 38.5, 0.75, 0.5}});
  bodies.emplace_back(sample_report());
  bodies.emplace_back(Stop{});
  bodies.emplace_back(PeerLost{"the connection broke"});
  bodies.emplace_back(Probe{3});
  bodies.emplace_back(Reached{3, "phone1"});
  bodies.emplace_back(LinkLost{3, "phone2", "no \xff answer"});
  for (const MessageBody& body : sample_transfers()) bodies.push_back(body);
  for (const MessageBody& body : sample_exercises()) bodies.push_back(body);
  bodies.emplace_back(AskStanding{});
  bodies.emplace_back(Standing{true, 70, 69, "waits for step 3 of request 8"});
  return bodies;
}

}  // namespace lingua
