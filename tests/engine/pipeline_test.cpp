#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/errors.h"
#include "runtime/events/metrics.h"
#include "tests/stress/decorated.h"
#include "tests/support/toy_run.h"

namespace lingua {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::kToySegments;
using ::testing::ThrowsMessage;
using testing::tokens_of_a_plain_loop;
using testing::ToyRun;

TEST(Pipeline, OneDeviceGivesTheTokensOfAPlainLoop) {
  EXPECT_EQ((ToyRun{.stages = {{"a", 0, kToySegments - 1, {}}}}.tokens()),
            tokens_of_a_plain_loop());
}

TEST(Pipeline, SixDevicesGiveTheSameTokens) {
  std::vector<Stage> stages;
  for (int i = 0; i < kToySegments; ++i) stages.push_back({"d" + std::to_string(i), i, i, {}});
  EXPECT_EQ(ToyRun{.stages = stages}.tokens(), tokens_of_a_plain_loop());
}

TEST(Pipeline, ManyRequestsInFlightGiveTheSameTokens) {
  const ToyRun run{.stages = {{"a", 0, 1, {}}, {"b", 2, 4, {}}, {"c", 5, 5, {}}}, .in_flight = 3};
  EXPECT_EQ(run.tokens(), tokens_of_a_plain_loop());
}

// With what executors of a run of a and b are told to compute, where b has a way of its own.
std::vector<Computing> told_to_compute(const std::function<void(ClusterSpec&)>& change_cluster) {
  class Noting : public testing::ToyExecutor {
   public:
    explicit Noting(std::vector<Computing>& told) : told_(told) {}
    void compute_with(const Computing& computing) override { told_.push_back(computing); }

   private:
    std::vector<Computing>& told_;
  };
  std::vector<Computing> told;
  ToyRun run{.stages = {{"a", 0, 2, {}}, {"b", 3, 5, {}}}};
  run.make_executor = [&] { return std::make_unique<Noting>(told); };
  run.change_cluster = change_cluster;
  run.change_deployment = [](Deployment& deployment) {
    deployment.computing.threads = 5;
    deployment.computing_of["b"] = {3, {4, 5, 6}};
  };
  EXPECT_EQ(run.tokens(), tokens_of_a_plain_loop());
  return told;
}

TEST(Pipeline, DevicesComputeAsTheDeploymentSays) {
  EXPECT_THAT(told_to_compute([](ClusterSpec& cluster) {
                cluster.devices[1].core_kinds = {{6}, {4, 5}, {0, 1, 2, 3}};
              }),
              ::testing::UnorderedElementsAre(Computing{5}, Computing{3, {4, 5, 6}}));
}

TEST(Pipeline, DevicesComputeOnNoCoresThatTheyHaveNot) {
  EXPECT_THAT(told_to_compute([](ClusterSpec& cluster) {
                cluster.devices[1].core_kinds = {{6}, {5}};
              }),
              ::testing::UnorderedElementsAre(Computing{5}, Computing{3}));
}

TEST(Pipeline, DevicesThatHaveChosenTheirThreadsKeepThem) {
  EXPECT_THAT(told_to_compute([](ClusterSpec& cluster) {
                for (DeviceSpec& device : cluster.devices) device.computing.threads = 2;
              }),
              ::testing::UnorderedElementsAre(Computing{2}, Computing{2}));
}

TEST(Pipeline, TheMostMemoryOfDevicesThatKnowItIsToldAtTheEnd) {
  class Knowing : public testing::Decorated {
   public:
    using Decorated::Decorated;
    double peak_memory_bytes() override { return 3e8; }
  };
  ToyRun run{.stages = {{"a", 0, 2, {}}, {"b", 3, 5, {}}}};
  run.impostors["b"] = [](Device& device) {
    Knowing knowing(device);
    run_worker(knowing, {});
  };
  EXPECT_THAT(run().peak_memory_bytes, ::testing::ElementsAre(::testing::Pair("b", 3e8)));
}

// The header runs the first segments and the last.
const std::vector<Stage> kBothEnds = {
    {"a", 0, 1, {}}, {"b", 2, 2, {}}, {"c", 3, 4, {}}, {"a", 5, 5, {}}};

TEST(Pipeline, AHeaderAtBothEndsGivesTheSameTokens) {
  EXPECT_EQ(ToyRun{.stages = kBothEnds}.tokens(), tokens_of_a_plain_loop());
}

TEST(Pipeline, AHeaderAtBothEndsGivesTheSameTokensToManyRequestsInFlight) {
  const ToyRun run{.stages = kBothEnds, .in_flight = 3};
  EXPECT_EQ(run.tokens(), tokens_of_a_plain_loop());
}

TEST(Pipeline, TokensStayOnAHeaderAtBothEnds) {
  ToyRun run{.stages = kBothEnds};
  std::size_t remembered = 0;  // by the one that chooses
  run.worker.sampler = [&](const Tensor& logits, const SampleContext& context) {
    remembered += context.recent.size();
    return greedy_token(logits);
  };
  run.change_job = [](RunJob& job) {
    for (Submit& submit : job.client.requests) submit.sampling.repetition_penalty = 1.5;
  };
  std::size_t sent = 0;
  run.wire_bytes = [&](const MessageBody& body) {
    if (const auto* message = std::get_if<Activations>(&body)) {
      sent += message->recent.size() + (message->sampling == Sampling{} ? 0 : 1);
    }
    EXPECT_FALSE(std::holds_alternative<StepResult>(body));
    return 1000.0;
  };
  run();
  EXPECT_GT(remembered, 0U);
  EXPECT_EQ(sent, 0U);
}

TEST(Pipeline, ALostHeaderAtBothEndsIsNamedWithAllItsSegments) {
  ToyRun run{.stages = {{"a", 0, 1, {}}, {"b", 2, 4, {}}, {"a", 5, 5, {}}}, .requests = 50};
  run.faults = [](SimCluster& cluster) { cluster.kill_at(Seconds(0.5), "a"); };
  EXPECT_THAT([&] { run(); },
              ThrowsMessage<WorldError>(
                  AllOf(HasSubstr("a was lost"), HasSubstr("segments 0 to 1 and 5 to 5"))));
}

TEST(Pipeline, RecomputingAllPositionsGivesTheSameTokens) {
  const ToyRun run{.stages = {{"a", 0, 2, {}}, {"b", 3, 5, {}}}, .kv_cache = false};
  EXPECT_EQ(run.tokens(), tokens_of_a_plain_loop());
}

TEST(Pipeline, StoredSegmentsThatDoNotRunChangeNothing) {
  const ToyRun run{.stages = {{"a", 0, 2, {3, 4}}, {"b", 3, 5, {2}}}};
  EXPECT_EQ(run.tokens(), tokens_of_a_plain_loop());
}

TEST(Pipeline, TheLogHasEveryStepOfEverySegmentAndEveryTransfer) {
  const RunResult result = ToyRun{.stages = {{"a", 0, 2, {}}, {"b", 3, 5, {}}}, .requests = 2}();
  int computes = 0;
  int transfers = 0;
  int loads = 0;
  for (const EventRow& row : result.log.rows()) {
    EXPECT_LE(row.start, row.end);
    computes += row.what == event::kCompute;
    if (row.what == event::kCompute) {
      // The toy's segments: 1e6 FLOPs for each new token at 1e9 FLOP/s.
      EXPECT_NEAR((row.end - row.start).count(), row.step == 0 ? 0.003 : 0.001, 1e-6);
    }
    transfers += row.what == event::kTransfer;
    loads += row.what == event::kLoad;
  }
  EXPECT_EQ(computes, 2 * 5 * kToySegments);
  EXPECT_EQ(transfers, 2 * 5);
  EXPECT_EQ(loads, kToySegments);
  const Metrics metrics = compute_metrics(result.log);
  ASSERT_EQ(metrics.requests.size(), 2U);
  EXPECT_EQ(metrics.requests[0].tokens, 5);
  EXPECT_GT(metrics.ttft_s, 0);
}

TEST(Pipeline, ALostDeviceEndsTheRunAndNamesItsSegments) {
  ToyRun run{.stages = {{"a", 0, 2, {}}, {"b", 3, 5, {}}}, .requests = 50};
  run.faults = [](SimCluster& cluster) { cluster.kill_at(Seconds(0.5), "b"); };
  EXPECT_THAT([&] { run(); }, ThrowsMessage<WorldError>(
                                  AllOf(HasSubstr("b was lost"), HasSubstr("segments 3 to 5"))));
}

TEST(Pipeline, ARequestThatTheModelDoesNotTakeIsRefusedAlone) {
  ToyRun run{.stages = {{"a", 0, 2, {}}, {"b", 3, 5, {}}}, .requests = 4};
  run.change_job = [](RunJob& job) {
    job.client.requests[0].max_tokens = -1;
    job.client.requests[2].inputs = {make_number(3)};
  };
  const RunResult result = run();
  ASSERT_EQ(result.answers.size(), 2U);
  EXPECT_EQ(result.answers[0].tokens, tokens_of_a_plain_loop()[1]);
  ASSERT_EQ(result.refusals.size(), 2U);
  EXPECT_THAT(result.refusals[0].reason, HasSubstr("a: max_tokens is negative"));
  EXPECT_EQ(result.refusals[1].request, 2);
  EXPECT_THAT([&] { check_all_answered(result); },
              ThrowsMessage<WorldError>(AllOf(HasSubstr("request 0 is refused by a: max_tokens"),
                                              HasSubstr("(and 1 more are refused)"))));
}

// What the executor of the last device cannot compute for one request.
class Picky : public testing::ToyExecutor {
 public:
  std::vector<Tensor> outputs_of(SegmentId id, const StepContext& context,
                                 const std::vector<Tensor>& inputs) override {
    if (id == 5 && context.request == 1 && context.step.cached_tokens > 3)
      throw WorldError("no such row in the table");
    return ToyExecutor::outputs_of(id, context, inputs);
  }
};

TEST(Pipeline, ARequestThatFailsInTheMiddleIsRefusedAloneAndLeavesNothingBehind) {
  ToyRun run{.stages = {{"a", 0, 2, {}}, {"b", 3, 5, {}}}, .in_flight = 3};
  run.make_executor = [] { return std::make_unique<Picky>(); };
  const RunResult result = run();
  ASSERT_EQ(result.answers.size(), 2U);
  EXPECT_EQ(result.answers[0].tokens, tokens_of_a_plain_loop()[0]);
  EXPECT_EQ(result.answers[1].tokens, tokens_of_a_plain_loop()[2]);
  ASSERT_EQ(result.refusals.size(), 1U);
  EXPECT_THAT(result.refusals[0].reason, HasSubstr("b: no such row in the table"));
}

// Work that a device makes up is its own doing, not that of who gets it.
TEST(Pipeline, ADeviceThatInventsWorkForAnotherIsNamed) {
  ToyRun run{.stages = {{"a", 0, 2, {}}, {"b", 3, 5, {}}}, .requests = 50};
  run.spares = {"c"};
  run.impostors["c"] = [](Device& device) {
    device.receive(Seconds(0.3));
    Activations invented;
    invented.epoch = Deployment().epoch;
    invented.request = 1000;
    invented.capacity = 1 << 20;
    device.send("b", invented);
  };
  EXPECT_THAT([&] { run(); }, ThrowsMessage<WorldError>(
                                  HasSubstr("c answers nonsense: Activations of request 1000")));
}

TEST(Pipeline, PartsOfAnEpochThatThereIsNotAreNonsense) {
  ToyRun run{.stages = {{"a", 0, 2, {}}, {"b", 3, 5, {}}}, .requests = 50};
  run.spares = {"c"};
  run.impostors["c"] = [](Device& device) {
    device.receive(Seconds(0.3));
    Together invented;
    invented.epoch = Deployment().epoch;
    invented.activations.emplace_back().epoch = invented.epoch + 1000;
    device.send("b", invented);
  };
  EXPECT_THAT(
      [&] { run(); },
      ThrowsMessage<WorldError>(HasSubstr(
          "c answers nonsense: 1 messages of steps that ran as one, with parts of another")));
}

TEST(Pipeline, RefusalsOfRequestsThatNobodyGaveDisturbNobody) {
  ToyRun run{.stages = {{"a", 0, 2, {}}, {"b", 3, 5, {}}}, .in_flight = 2};
  run.memory_bytes = 1e6;
  run.impostors["a"] = [](Device& device) {
    // Beside its work, work that there is none of.
    class Inventive : public Device {
     public:
      explicit Inventive(Device& device) : device_(device) {}
      Seconds now() override { return device_.now(); }
      void send(const DeviceName& to, MessageBody body) override {
        if (auto* work = std::get_if<Activations>(&body)) {
          Activations invented = *work;
          invented.request += 1000;
          invented.capacity = 1 << 20;
          device_.send(to, std::move(invented));
        }
        device_.send(to, std::move(body));
      }
      std::optional<Message> receive(Seconds deadline) override {
        return device_.receive(deadline);
      }
      Executor& executor() override { return device_.executor(); }
      const DeviceSpec& spec() const override { return device_.spec(); }
      Telemetry telemetry() override { return device_.telemetry(); }

     private:
      Device& device_;
    } inventive(device);
    run_worker(inventive, {});
  };
  EXPECT_EQ(run.tokens(), tokens_of_a_plain_loop());
}

// More rows than a device keeps until it is asked.
TEST(Pipeline, RowsOfALongRunAreAllThere) {
  ToyRun run{.stages = {{"a", 0, 2, {}}, {"b", 3, 5, {}}}, .requests = 4, .max_tokens = 600};
  int early = 0;
  run.wire_bytes = [&](const MessageBody& body) {
    const auto* events = std::get_if<Events>(&body);
    early += events != nullptr && events->early ? 1 : 0;
    return 1000.0;
  };
  const RunResult result = run();
  EXPECT_GE(early, 2);
  EXPECT_EQ(std::count_if(result.log.rows().begin(), result.log.rows().end(),
                          [](const EventRow& row) { return row.what == event::kCompute; }),
            4 * 600 * kToySegments);
  EXPECT_THAT(result.notes, ::testing::IsEmpty());
}

// Memory for the states of one request.
ToyRun scarce_run() {
  ToyRun run{.stages = {{"a", 0, 2, {}}, {"b", 3, 5, {}}}, .in_flight = 3};
  const double weights = 3 * 40 + 24;
  const double states = 3 * 8 * 8;
  double activations = 0;
  for (const Segment& segment : testing::toy_segmentation(kToySegments, true).segments)
    activations = std::max(activations, segment.activation_bytes({3, 0}));
  run.memory_bytes = weights + states + activations;
  return run;
}

TEST(Pipeline, RequestsWaitWhereMemoryIsShortAndAllAreAnswered) {
  EXPECT_EQ(scarce_run().tokens(), tokens_of_a_plain_loop());
}

TEST(Pipeline, TheLogSaysHowLongRequestsWaitedForMemoryAndMetricsWhatThatCost) {
  const RunResult result = scarce_run()();
  std::vector<RequestId> waited;
  for (const EventRow& row : result.log.rows()) {
    if (row.what != event::kMemory) continue;
    EXPECT_EQ(row.who, kCoordinator);
    EXPECT_GT(row.end, row.start);
    waited.push_back(row.request);
  }
  EXPECT_THAT(waited, ::testing::ElementsAre(1, 2));
  for (const DeviceMetrics& device : result.metrics.devices) {
    EXPECT_GT(device.idle_memory_s, 0) << device.device;
    EXPECT_NEAR(device.busy_s + device.idle_link_s + device.idle_memory_s + device.idle_no_input_s,
                result.metrics.makespan_s, 1e-9);
  }
}

TEST(Pipeline, ARequestThatNeverFitsIsRefusedWithWhatIsLeft) {
  ToyRun run{.stages = {{"a", 0, 2, {}}, {"b", 3, 5, {}}}};
  run.memory_bytes = 300;
  const RunResult result = run();
  ASSERT_EQ(result.refusals.size(), 3U);
  EXPECT_THAT(result.refusals[0].reason, AllOf(HasSubstr("a: it asks for KV caches of 8 tokens"),
                                               HasSubstr("156 B of the device's memory")));
}

TEST(Pipeline, ASinglePassGivesTheOutputsOfTheModel) {
  ToyRun run{.stages = {{"a", 0, 5, {}}}};
  run.max_tokens = 0;
  const RunResult result = run();
  ASSERT_EQ(result.answers.size(), 3U);
  ASSERT_EQ(result.answers[0].outputs.size(), 1U);
  EXPECT_EQ(result.answers[0].outputs[0].shape,
            (std::vector<std::int64_t>{1, testing::kToyVocabulary}));
}

}  // namespace
}  // namespace lingua
