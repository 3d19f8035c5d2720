#include "runtime/net/wire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "runtime/base/errors.h"
#include "runtime/net/wire_internal.h"
#include "runtime/plan/message_sizes.h"
#include "tests/net/samples.h"

namespace lingua {
namespace {

using ::testing::HasSubstr;

// The frames as one string: equal for equal messages.
std::string flat(const std::vector<Frame>& frames) {
  std::string all;
  for (const Frame& frame : frames) {
    all += std::to_string(frame.bytes.size()) + ":" + std::string(frame.bytes);
  }
  return all;
}

double total(const std::vector<Frame>& frames) {
  double sum = 0;
  for (const Frame& frame : frames) sum += static_cast<double>(frame.bytes.size());
  return sum;
}

Message message_of(MessageBody body) {
  Message message;
  message.sent = Seconds(12.5);
  message.body = std::move(body);
  return message;
}

template <class T>
T round_trip(T body) {
  return std::get<T>(decode(encode(message_of(std::move(body)))).body);
}

std::string refusal(const MessageBody& body) {
  try {
    decode(encode(message_of(body)));
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

// What clients and the coordinator, who are in one process, say to each other besides.
// Made when it is asked for: a compiler that tries to make it beforehand takes minutes and gigabytes.
std::vector<MessageBody> local_bodies() {
  std::vector<MessageBody> bodies;
  bodies.emplace_back(Attach{});
  bodies.emplace_back(Serving{});
  bodies.emplace_back(Detach{});
  return bodies;
}

TEST(Wire, EveryKindOfMessageHasASample) {
  std::vector<bool> seen(std::variant_size_v<MessageBody>, false);
  for (const MessageBody& body : sample_bodies()) seen[body.index()] = true;
  for (const MessageBody& body : local_bodies()) {
    EXPECT_FALSE(seen[body.index()]);
    EXPECT_THROW(encode(message_of(body)), BugError) << describe(body);
    seen[body.index()] = true;
  }
  EXPECT_EQ(std::count(seen.begin(), seen.end(), false), 0);
}

TEST(Wire, WhatIsDecodedEncodesToTheSameBytes) {
  for (const MessageBody& body : sample_bodies()) {
    const auto frames = encode(message_of(body));
    wire::Envelope envelope;
    internal::parse_envelope(frames.front().bytes, &envelope);
    EXPECT_FALSE(internal::is_transport(envelope)) << describe(body);
    const Message decoded = decode(frames);
    EXPECT_EQ(decoded.body.index(), body.index());
    EXPECT_EQ(decoded.sent, Seconds(12.5));
    EXPECT_EQ(decoded.wire_bytes, total(frames));
    EXPECT_EQ(flat(encode(decoded)), flat(frames)) << describe(body);
  }
}

TEST(Wire, SizeInSimulationIsTheSizeOfTheEncoding) {
  for (const MessageBody& body : sample_bodies()) {
    EXPECT_EQ(wire_bytes(body), total(encode(message_of(body)))) << describe(body);
  }
}

// Plans are made with the sizes of a few messages; those of others are near what follows from them.
TEST(Wire, SizesThatPlansAreMadeWithHoldForOtherMessages) {
  constexpr double kOff = 4;  // bytes, and as many for each tensor
  const MessageSizes sizes = message_sizes(wire_bytes);
  for (const std::int64_t width : {64, 2048, 250'880}) {
    const Tensor hidden = sample_tensor(DType::kFloat32, {1, 1, width});
    const auto bytes = static_cast<double>(hidden.bytes());
    EXPECT_NEAR(wire_bytes(Activations{1, 8, 3, {1, 11}, 27, {4}, {hidden}, {}, {}}),
                sizes.activations + sizes.tensor + bytes, 2 * kOff);
    EXPECT_NEAR(wire_bytes(Activations{
                    1, 100, 120, {1, 140}, 300, {4, 5, 60}, {hidden, hidden, hidden}, {}, {}}),
                sizes.activations + 3 * (sizes.tensor + bytes), 4 * kOff);
    EXPECT_NEAR(wire_bytes(StepResult{1, 8, 0, kNoToken, {hidden}}),
                sizes.result + sizes.tensor + bytes, 2 * kOff);
  }
  EXPECT_NEAR(wire_bytes(StepResult{1, 8, 3, 17, {}}), sizes.result, kOff);
  const Activations step{1,  8, 3, {1, 11}, 27, {4}, {sample_tensor(DType::kFloat32, {1, 1, 64})},
                         {}, {}};
  for (const std::size_t steps : {2U, 5U, 16U}) {
    const auto count = static_cast<double>(steps);
    EXPECT_NEAR(wire_bytes(Together{1, std::vector<Activations>(steps, step), {}}),
                count * (wire_bytes(step) + sizes.together_each) + sizes.together, count * kOff);
    const StepResult result{1, 8, 3, 17, {}};
    EXPECT_NEAR(wire_bytes(Together{1, {}, std::vector<StepResult>(steps, result)}),
                count * (wire_bytes(result) + sizes.together_each) + sizes.together, count * kOff);
  }
  EXPECT_NEAR(wire_bytes(TokenMade{120, 90, 17}), sizes.token_made, kOff);
  EXPECT_NEAR(wire_bytes(Done{8, {1, 2, 3}, {}}), sizes.done + 3 * sizes.done_token, kOff);
  EXPECT_NEAR(wire_bytes(Done{8, std::vector<TokenId>(500, 7), {}}),
              sizes.done + 500 * sizes.done_token, kOff);
  EXPECT_NEAR(wire_bytes(Release{80}), sizes.release, kOff);
  Submit submit{8, {make_int64_tensor({1, 2, 3})}, 16, 19, true, {}, {}, 0, {}, {}};
  submit.sampling.seed = 1;
  EXPECT_NEAR(wire_bytes(submit), sizes.submit + 3 * 8, kOff);
}

TEST(Wire, TensorsWithoutDataCountAsIfTheyHadIt) {
  Activations with{3, 8, 1, {1, 11}, 27, {4}, {sample_tensor(DType::kFloat32, {1, 1, 64})}, {}, {}};
  Activations without = with;
  without.tensors[0].data = nullptr;
  EXPECT_EQ(wire_bytes(without), wire_bytes(with));
  EXPECT_LT(total(encode(message_of(without))), wire_bytes(without));
}

TEST(Wire, SizeDoesNotDependOnTheToken) {
  const double none = wire_bytes(TokenMade{8, 1, kNoToken});
  for (TokenId token : {0, 1, 250879}) EXPECT_EQ(wire_bytes(TokenMade{8, 1, token}), none);
  EXPECT_EQ(wire_bytes(StepResult{1, 8, 1, kNoToken, {}}),
            wire_bytes(StepResult{1, 8, 1, 99999, {}}));
  EXPECT_EQ(wire_bytes(Done{8, {kNoToken, kNoToken}, {}}), wire_bytes(Done{8, {0, 99999}, {}}));
}

TEST(Wire, PrepareKeepsSegmentsAndRoutes) {
  const Prepare in = sample_prepare();
  const Prepare out = round_trip(in);
  ASSERT_EQ(out.segments.size(), 2U);
  const Segment& a = in.segments[1];
  const Segment& b = out.segments[1];
  EXPECT_EQ(b.id, a.id);
  EXPECT_EQ(b.name, a.name);
  EXPECT_EQ(b.recomputed, a.recomputed);
  EXPECT_EQ(b.step_scalars, a.step_scalars);
  EXPECT_EQ(b.inputs[0].dims, a.inputs[0].dims);
  EXPECT_EQ(b.inputs[0].bytes, a.inputs[0].bytes);
  EXPECT_FALSE(b.inputs[1].is_tensor);
  EXPECT_EQ(b.state[0].shape, a.state[0].shape);
  EXPECT_EQ(b.state[0].dtype, DType::kBFloat16);
  EXPECT_EQ(b.weights, a.weights);
  EXPECT_EQ(b.flops, a.flops);
  EXPECT_EQ(b.bytes_moved, a.bytes_moved);
  EXPECT_EQ(b.inner_bytes, a.inner_bytes);
  EXPECT_TRUE(out.has_data);
  EXPECT_EQ(out.segments, in.segments);
  EXPECT_EQ(out.routes[0].to, in.routes[0].to);
  EXPECT_EQ(out.model_outputs, in.model_outputs);
  EXPECT_EQ(out.tailer, "phone2");
  EXPECT_EQ(out.senders, in.senders);
  EXPECT_EQ(out.digests, in.digests);
  EXPECT_FALSE(in.digests.empty());
}

TEST(Wire, PrepareIsAsLargeAsBeforeWhereNoDigestIsKnown) {
  Prepare known = sample_prepare();
  Prepare unknown = known;
  unknown.digests.clear();
  EXPECT_TRUE(round_trip(unknown).digests.empty());
  std::size_t weights = 0;
  for (const Segment& segment : known.segments) weights += segment.weights.size();
  // 32 bytes, their number and their field: once for each segment that has the weight.
  EXPECT_EQ(wire_bytes(known) - wire_bytes(unknown), static_cast<double>(34 * weights));
}

TEST(Wire, WhatADeviceLacksAndGetsSurvives) {
  const std::string bytes("\0\xff program", 10);
  const Lacks lacks = round_trip(Lacks{3, {0, 7}, {"wte", bytes}});
  EXPECT_EQ(lacks.programs, (std::vector<SegmentId>{0, 7}));
  EXPECT_EQ(lacks.weights, (std::vector<std::string>{"wte", bytes}));
  EXPECT_EQ(round_trip(SegmentProgram{3, 7, bytes}).program, bytes);
  EXPECT_EQ(round_trip(Ready{3, 12345}).free_bytes, 12345);
  EXPECT_EQ(round_trip(Retire{3}).epoch, 3);
  EXPECT_EQ(round_trip(Submit{8, {}, 16, 27, true, {}, {}, 4, {}, {}}).epoch, 4);
}

TEST(Wire, WhatWorkTookSurvivesHoweverWrongItIs) {
  WorkReport report;
  report.epoch = 4;
  report.prompts = {3, 0.5, std::numeric_limits<double>::quiet_NaN()};
  report.tokens = {-2, -1, std::numeric_limits<double>::infinity()};
  report.links = {{"phone1", 2, 4096, 0.125}};
  report.queued = 7;
  report.telemetry = {4e9, 38.5, 0.75, 0.5};
  const WorkReport back = round_trip(report);
  EXPECT_EQ(back.epoch, 4);
  EXPECT_EQ(back.prompts.expected_s, 0.5);
  EXPECT_TRUE(std::isnan(back.prompts.measured_s));
  EXPECT_EQ(back.tokens.runs, -2);
  EXPECT_TRUE(std::isinf(back.tokens.measured_s));
  ASSERT_EQ(back.links.size(), 1U);
  EXPECT_EQ(back.links[0].from, "phone1");
  EXPECT_EQ(back.links[0].bytes, 4096);
  EXPECT_EQ(back.links[0].seconds, 0.125);
  EXPECT_EQ(back.queued, 7);
  EXPECT_EQ(back.telemetry.temperature_c, 38.5);
  EXPECT_LT(round_trip(WorkReport{}).telemetry.battery, 0) << "not known";
}

TEST(Wire, WhatADeviceIsMeasuredAgainstSurvives) {
  const Measuring measuring = {Seconds(0.5), 20e9, 10e9, Seconds(0.001)};
  EXPECT_EQ(round_trip(sample_prepare()).measuring, measuring);
  Prepare prepare = sample_prepare();
  prepare.measuring = {};
  EXPECT_EQ(round_trip(prepare).measuring, Measuring{});
}

TEST(Wire, WhatAnEarlierEpochHasMadeOfARequestSurvives) {
  const Submit begun = round_trip(Submit{8, {}, 16, 27, true, {}, {}, 4, {17, 0}, Seconds(2.5)});
  EXPECT_EQ(begun.made, (std::vector<TokenId>{17, 0}));
  EXPECT_EQ(begun.started, Seconds(2.5));
  EXPECT_EQ(round_trip(Submit{8, {}, 16, 27, true, {}, {}, 4, {}, {}}).started, std::nullopt);
  for (const double time : {std::nan(""), HUGE_VAL, 1e300}) {
    EXPECT_THROW(round_trip(Submit{8, {}, 16, 27, true, {}, {}, 4, {17}, Seconds(time)}),
                 InputError);
  }
}

TEST(Wire, WhatIsSaidOfStatesThatMoveSurvives) {
  const Suspend suspend = round_trip(Suspend{3, 8, true, 4});
  EXPECT_EQ(suspend.request, 8);
  EXPECT_TRUE(suspend.keep);
  EXPECT_EQ(suspend.next, 4);
  const Suspended suspended = round_trip(Suspended{3, 8, 41});
  EXPECT_EQ(suspended.request, 8);
  EXPECT_EQ(suspended.cached, 41);
  EXPECT_THAT(refusal(Suspended{3, 8, -1}), HasSubstr("cached: -1"));
  const SendStates send =
      round_trip(SendStates{4, "b", {2, 3}, {{8, 90, 5, 41}}, 4096, 8, 1e6, true});
  EXPECT_TRUE(send.beside);
  EXPECT_EQ(send.to, "b");
  EXPECT_EQ(send.segments, (std::vector<SegmentId>{2, 3}));
  ASSERT_EQ(send.ranges.size(), 1U);
  EXPECT_EQ(send.ranges[0].capacity, 90);
  EXPECT_EQ(send.ranges[0].first, 5);
  EXPECT_EQ(send.ranges[0].end, 41);
  EXPECT_EQ(send.chunk_bytes, 4096);
  EXPECT_EQ(send.window, 8);
  EXPECT_EQ(send.bytes_per_s, 1e6);
  EXPECT_THAT(refusal(SendStates{4, "b", {2}, {{8, 90, 5, 91}}, 4096, 8, 0}), HasSubstr("end: 91"));
  EXPECT_THAT(refusal(SendStates{4, "b", {2}, {}, 0, 8, 0}), HasSubstr("chunk_bytes: 0"));
  const StateChunk chunk =
      round_trip(StateChunk{4, 8, 2, 90, 5, 36, {sample_tensor(DType::kInt8, {36, 2})}, true});
  EXPECT_EQ(chunk.segment, 2);
  EXPECT_EQ(chunk.first, 5);
  EXPECT_EQ(chunk.tokens, 36);
  EXPECT_EQ(chunk.states.at(0).shape, (std::vector<std::int64_t>{36, 2}));
  EXPECT_TRUE(chunk.last);
  EXPECT_THAT(refusal(StateChunk{4, 8, 2, 90, 60, 31, {}, false}), HasSubstr("tokens: 31"));
  EXPECT_EQ(round_trip(StatesHeld{4, "a", 8, "no \xff room"}).trouble, "no \xff room");
  EXPECT_EQ(round_trip(Submit{8, {}, 16, 27, true, {}, {}, 4, {}, {}, 12}).cached, 12);
}

TEST(Wire, WhatADeviceIsToGiveToAnotherSurvives) {
  const SendWeights send = round_trip(SendWeights{3, "b", {"wte", "h.0"}, 4096, 8, 1e6});
  EXPECT_EQ(send.to, "b");
  EXPECT_EQ(send.weights, (std::vector<std::string>{"wte", "h.0"}));
  EXPECT_EQ(send.window, 8);
  EXPECT_EQ(send.bytes_per_s, 1e6);
  EXPECT_THAT(refusal(SendWeights{3, "b", {}, 4096, 0, 0}), HasSubstr("window: 0"));
  EXPECT_THAT(refusal(SendWeights{3, "b", {}, 4096, 8, std::nan("")}), HasSubstr("bytes_per_s"));
  const WeightHeld held = round_trip(WeightHeld{3, "a", "wte", 4096, "no \xff good"});
  EXPECT_EQ(held.from, "a");
  EXPECT_EQ(held.weight, "wte");
  EXPECT_EQ(held.bytes, 4096);
  EXPECT_EQ(held.trouble, "no \xff good");
  EXPECT_THAT(refusal(WeightHeld{3, "a", "wte", -1, ""}), HasSubstr("bytes: -1"));
}

TEST(Wire, WhatMeasuresDevicesAndLinksSurvivesWithinItsBounds) {
  const Exercise order =
      round_trip(Exercise{7, ExertionKind::kWeights, DType::kInt8, {4, {0, 6}}, Seconds(0.25)});
  EXPECT_EQ(order.number, 7);
  EXPECT_EQ(order.kind, ExertionKind::kWeights);
  EXPECT_EQ(order.dtype, DType::kInt8);
  EXPECT_EQ(order.computing, (Computing{4, {0, 6}}));
  EXPECT_EQ(order.time, Seconds(0.25));
  EXPECT_THAT(refusal(Exercise{7, static_cast<ExertionKind>(4)}), HasSubstr("kind: 4"));
  EXPECT_THAT(refusal(Exercise{7, {}, {}, {1}, Seconds(11)}), HasSubstr("seconds: 11"));
  EXPECT_THAT(refusal(Exercise{7, {}, {}, {-1}}), HasSubstr("threads: -1"));
  for (const Cores& cores : {Cores{-1}, Cores{0, 1024}, Cores{3, 2}, Cores{2, 2}})
    EXPECT_THAT(refusal(Exercise{7, {}, {}, {1, cores}}), HasSubstr("cores: "));
  const Exercised done = round_trip(Exercised{7, {0.5, 0.25}, {3, 1}, 5e8, "no \xff room"});
  EXPECT_EQ(done.times_s, (std::vector<double>{0.5, 0.25}));
  EXPECT_EQ(done.repeats, (std::vector<std::int64_t>{3, 1}));
  EXPECT_EQ(done.memory_bytes, 5e8);
  EXPECT_EQ(done.trouble, "no \xff room");
  EXPECT_THAT(refusal(Exercised{7, {0.5}, {}, 0, ""}), HasSubstr("repeats: 0 of them"));
  EXPECT_THAT(refusal(Exercised{7, {std::nan("")}, {1}, 0, ""}), HasSubstr("times"));
  EXPECT_THAT(refusal(Exercised{7, std::vector<double>(65), {}, 0, ""}), HasSubstr("times: 65"));
  EXPECT_THAT(refusal(Exercised{7, {1}, {0}, 0, ""}), HasSubstr("repeats: 0"));
  EXPECT_THAT(refusal(ExerciseLink{8, "b", 65, 4096, 0}), HasSubstr("blocks: 65"));
  EXPECT_THAT(refusal(ExerciseLink{8, "b", 1, (4 << 20) + 1, 0}), HasSubstr("block_bytes"));
  EXPECT_THAT(refusal(ExerciseLink{8, "b", 1, 1, -1}), HasSubstr("echoes: -1"));
  EXPECT_EQ(round_trip(Echo{8, 3, true}).index, 3);
  EXPECT_TRUE(round_trip(Echo{8, 3, true}).is_back);
  EXPECT_EQ(wire_bytes(Echo{8, 0, false}), wire_bytes(Echo{4000000000, 60, true}));
  EXPECT_THAT(refusal(Bulk{8, 3, 3, {}}), HasSubstr("index: 3"));
  const LinkTimes times = round_trip(LinkTimes{8, "b", {0.5}, {4, 5}, 4130});
  EXPECT_EQ(times.peer, "b");
  EXPECT_EQ(times.echoes_s, std::vector<double>{0.5});
  EXPECT_EQ(times.arrivals_s, (std::vector<double>{4, 5}));
  EXPECT_EQ(times.message_bytes, 4130);
}

TEST(Wire, HowARequestEndedSurvives) {
  for (const Ending ending : {Ending::kStop, Ending::kLength, Ending::kCancelled}) {
    EXPECT_EQ(round_trip(Done{8, {17}, {}, ending}).ending, ending);
    EXPECT_EQ(wire_bytes(Done{8, {17}, {}, ending}), wire_bytes(Done{8, {17}, {}}));
  }
  EXPECT_THAT(refusal(Done{8, {17}, {}, static_cast<Ending>(3)}), HasSubstr("ending: 3"));
  EXPECT_EQ(round_trip(Refused{8, "no \xff room"}).reason, "no \xff room");
}

TEST(Wire, TensorDataAndScalarsSurvive) {
  const Tensor in = sample_tensor(DType::kFloat32, {1, 11, 64});
  const auto out = round_trip(StepResult{3, 8, 1, 5, {in, make_number(-5)}});
  EXPECT_EQ(out.outputs[0].shape, in.shape);
  EXPECT_EQ(std::memcmp(out.outputs[0].data.get(), in.data.get(), in.bytes()), 0);
  std::int64_t number = 0;
  std::memcpy(&number, out.outputs[1].data.get(), 8);
  EXPECT_EQ(number, -5);
}

TEST(Wire, SamplingAndRecentTokensSurvive) {
  const Sampling sampling{0.7, 40, 0.9, 1.1, 3, 0xfedcba9876543210ULL};
  EXPECT_EQ(round_trip(Submit{8, {}, 16, 27, true, {2}, sampling, 0, {}, {}}).sampling, sampling);
  const auto out = round_trip(
      Activations{3, 8, 1, {1, 11}, 27, {}, {}, sampling, {250879, kNoToken, 0, 250879}});
  EXPECT_EQ(out.sampling, sampling);
  EXPECT_EQ(out.recent, (std::vector<TokenId>{250879, kNoToken, 0, 250879}));
  EXPECT_EQ(round_trip(Cancel{77}).request, 77);
}

TEST(Wire, HowDevicesCommunicateSurvivesAndIsCheckedWhereItIsNotKnown) {
  const Prepare in = sample_prepare();
  const Prepare out = round_trip(in);
  EXPECT_EQ(out.communication, in.communication);
  EXPECT_EQ(out.passing, in.passing);
  EXPECT_EQ(round_trip(Prepare{}).communication, Communication{});
  Prepare unknown = in;
  unknown.communication.wire = static_cast<WireType>(7);
  EXPECT_THAT([&] { round_trip(unknown); },
              ThrowsMessage<InputError>(HasSubstr("wire: 7 is not in 0 .. 2")));
}

TEST(Wire, StepsThatTravelAsOneKeepTheirTensorsAndTheirEpoch) {
  const Tensor hidden = sample_tensor(DType::kFloat32, {1, 64});
  const Together out = round_trip(Together{5,
                                           {{5, 8, 1, {1, 11}, 27, {4}, {hidden}, {}, {}},
                                            {5, 9, 4, {1, 40}, 90, {4}, {hidden}, {}, {}}},
                                           {{5, 3, 7, 17, {}}}});
  ASSERT_EQ(out.activations.size(), 2U);
  EXPECT_EQ(out.activations[1].request, 9);
  EXPECT_EQ(out.activations[1].epoch, 5);
  EXPECT_EQ(out.activations[1].tensors[0].bytes(), hidden.bytes());
  ASSERT_EQ(out.results.size(), 1U);
  EXPECT_EQ(out.results[0].token, 17);
  EXPECT_EQ(out.results[0].epoch, 5);
  EXPECT_THROW(round_trip(Together{5, {}, {}}), InputError);
}

TEST(Wire, WhatADeviceSaysOfItsBatterySurvives) {
  DeviceSpec spec{"phone1", 20e9, 10e9, 8e9, 4, Seconds(0.001), 3.5, 5e4, 0};
  EXPECT_EQ(round_trip(Hello{spec}).spec.charge, 0) << "empty is not the same as not said";
  spec.charge = 0.25;
  spec.computing.threads = 3;
  spec.core_kinds = {{6, 7}, {0, 1, 2}};
  const DeviceSpec out = round_trip(Hello{spec}).spec;
  EXPECT_EQ(out.power_w, 3.5);
  EXPECT_EQ(out.battery_j, 5e4);
  EXPECT_EQ(out.charge, 0.25);
  EXPECT_EQ(out.computing.threads, 3);
  EXPECT_EQ(out.core_kinds, spec.core_kinds);
  for (const auto& kinds : {std::vector<Cores>{{6}, {}}, {{6}, {5, 6}}, {{7, 6}}, {{1024}}}) {
    DeviceSpec odd = spec;
    odd.core_kinds = kinds;
    EXPECT_THAT(refusal(Hello{odd}), HasSubstr("core"));
  }
  EXPECT_FALSE(out.relayed);
  spec.charge = -1;
  spec.relayed = true;
  EXPECT_LT(round_trip(Hello{spec}).spec.charge, 0) << "not known";
  EXPECT_TRUE(round_trip(Hello{spec}).spec.relayed);
  spec.charge = 1.5;
  EXPECT_THROW(round_trip(Hello{spec}), InputError);
}

TEST(Wire, GreedyRequestsCarryNoSampling) {
  const Submit greedy{8, {}, 16, 27, true, {2}, {}, 0, {}, {}};
  EXPECT_EQ(round_trip(greedy).sampling, Sampling{});
  Submit drawn = greedy;
  drawn.sampling.temperature = 1;
  EXPECT_LT(wire_bytes(greedy) + 8, wire_bytes(drawn));
}

TEST(Wire, RefusesSamplingOutOfRange) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto refused = [](const Sampling& sampling, const char* why) {
    EXPECT_THAT(refusal(Submit{8, {}, 16, 27, true, {}, sampling, 0, {}, {}}), HasSubstr(why));
    EXPECT_THAT(refusal(Activations{3, 8, 1, {1, 0}, 9, {}, {}, sampling, {}}), HasSubstr(why));
  };
  refused({.temperature = -1}, "temperature");
  refused({.temperature = nan}, "temperature");
  refused({.top_k = -1}, "top_k: -1");
  refused({.top_p = 1.5}, "top_p");
  refused({.repetition_penalty = nan}, "repetition_penalty");
  refused({.repetition_window = -1}, "repetition_window: -1");
}

TEST(Wire, SendingDoesNotCopyTensorsAndReceivingSharesLargeOnes) {
  const Tensor large = sample_tensor(DType::kFloat32, {1 << 16});
  const auto frames = encode(message_of(StepResult{3, 8, 1, 5, {large}}));
  EXPECT_EQ(static_cast<const void*>(frames[1].bytes.data()), large.data.get());
  const auto shared = std::get<StepResult>(decode(frames).body);
  EXPECT_EQ(shared.outputs[0].data.get(), large.data.get());
  std::vector<Frame> unowned = frames;
  unowned[1].owner = nullptr;
  const auto copied = std::get<StepResult>(decode(unowned).body);
  EXPECT_NE(copied.outputs[0].data.get(), large.data.get());
}

TEST(Wire, EventsBeyondOnePageArriveInOrder) {
  Events events;
  events.early = true;
  for (int i = 0; i < 10000; ++i) {
    events.rows.push_back({"a", "compute", i, i, i, Seconds(i), Seconds(i + 1), 0});
  }
  const Events out = round_trip(events);
  EXPECT_TRUE(out.early);
  ASSERT_EQ(out.rows.size(), events.rows.size());
  for (int i = 0; i < 10000; ++i) ASSERT_EQ(out.rows[i].segment, i);
}

TEST(Wire, RefusesNegativeAndHugeDimensions) {
  Activations m{3, 8, 1, {1, 11}, 27, {4}, {Tensor{DType::kFloat32, {-1}, nullptr}}, {}, {}};
  EXPECT_THAT(refusal(m), HasSubstr("shape: -1"));
  m.tensors[0].shape = {std::int64_t{1} << 41};
  EXPECT_THAT(refusal(m), HasSubstr("shape: 2199023255552"));
  m.tensors[0].shape = {0, std::int64_t{1} << 40, std::int64_t{1} << 40};
  EXPECT_THAT(refusal(m), HasSubstr("more than"));
  m.tensors[0].shape = std::vector<std::int64_t>(17, 1);
  EXPECT_THAT(refusal(m), HasSubstr("17 dimensions"));
}

TEST(Wire, RefusesNumbersThatCannotBe) {
  EXPECT_THAT(refusal(Activations{3, 8, -1, {1, 0}, 9, {}, {}, {}, {}}),
              HasSubstr("step_index: -1"));
  EXPECT_THAT(refusal(Activations{3, 8, 0, {1, 0}, 9, {1}, {}, {}, {}}),
              HasSubstr("1 of them for 0"));
  EXPECT_THAT(refusal(WeightAck{3, "w", -4}), HasSubstr("offset: -4"));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(refusal(TelemetryReport{{nan, 0, 0, 0}}), HasSubstr("not finite"));
  EXPECT_THAT(refusal(Hello{{"phone1", -1, 1, 1, 1, Seconds(0)}}), HasSubstr("flops_per_s: -1"));
  WeightChunk chunk{3, "w", 0, sample_tensor(DType::kFloat32, {4}), 0};
  EXPECT_THAT(refusal(chunk), HasSubstr("must be uint8"));
}

TEST(Wire, RefusesFramesThatDoNotFitTheirTensors) {
  const auto frames =
      encode(message_of(StepResult{3, 8, 1, 5, {sample_tensor(DType::kFloat32, {8})}}));
  std::vector<Frame> shorter = frames;
  shorter[1].bytes.remove_suffix(1);
  EXPECT_THROW(decode(shorter), InputError);
  EXPECT_THROW(decode({frames[0]}), InputError);
  EXPECT_THROW(decode({frames[0], frames[1], frames[1]}), InputError);
  EXPECT_THROW(decode({}), InputError);
  EXPECT_THROW(decode({{"", nullptr}}), InputError);
}

TEST(Wire, RefusesToSendWhatNoPeerWouldAccept) {
  EXPECT_THROW(encode(message_of(Failed{1, std::string(kMaxControlBytes, 'x')})), WorldError);
}

}  // namespace
}  // namespace lingua
