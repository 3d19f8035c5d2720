#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/errors.h"
#include "runtime/engine/coordinator.h"
#include "runtime/engine/worker.h"
#include "runtime/events/metrics.h"
#include "sim/cluster/sim_cluster.h"
#include "tests/support/toy_model.h"

namespace lingua {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr int kSegments = 6;

// A whole run inside SimGrid with the toy model's numerics.
struct ToyRun {
  std::vector<Stage> stages;
  int in_flight = 1;
  int requests = 3;
  std::int64_t max_tokens = 5;
  bool kv_cache = true;
  bool residual = true;
  std::function<void(SimCluster&)> faults = [](SimCluster&) {};

  RunResult operator()() const {
    ClusterSpec cluster;
    cluster.name = "test";
    cluster.default_link = {1e6, Seconds(0.002)};
    for (const Stage& stage : stages)
      cluster.devices.push_back({stage.device, 1e9, 1e9, 1e9, 1, Seconds(0)});
    const Segmentation segmentation = testing::toy_segmentation(kSegments, residual);
    testing::ToySource source;
    CoordinatorJob job;
    job.deployment.segmentation = &segmentation;
    job.deployment.source = &source;
    job.deployment.plan.stages = stages;
    job.deployment.plan.transfers = transfers_of(segmentation, stages);
    job.deployment.chunk_bytes = 16;
    job.in_flight = in_flight;
    for (int r = 0; r < requests; ++r) {
      Submit submit;
      submit.request = r;
      submit.inputs = {make_int64_tensor({r + 1, 2, 3})};
      submit.max_tokens = max_tokens;
      submit.capacity = max_tokens > 0 ? 3 + max_tokens : 0;
      submit.kv_cache = kv_cache;
      job.requests.push_back(submit);
    }
    SimOptions options;
    options.wire_bytes = [](const MessageBody&) { return 1000.0; };
    options.make_executor = [&](const DeviceSpec&) -> std::unique_ptr<Executor> {
      return std::make_unique<testing::ToyExecutor>();
    };
    RunResult result;
    SimCluster sim(cluster, options);
    for (const Stage& stage : stages) {
      sim.start(stage.device, [](Device& device) { run_worker(device, WorkerOptions{}); });
    }
    sim.start(kCoordinator, [&](Device& device) { result = run_coordinator(device, job); });
    faults(sim);
    sim.run();
    return result;
  }
};

std::vector<std::vector<TokenId>> tokens_of(const RunResult& result) {
  std::vector<std::vector<TokenId>> tokens;
  for (const Done& answer : result.answers) tokens.push_back(answer.tokens);
  return tokens;
}

// The plain loop: every segment in turn, in this process, no device and no message.
std::vector<std::vector<TokenId>> tokens_of_a_plain_loop() {
  const Segmentation segmentation = testing::toy_segmentation(kSegments, true);
  testing::ToySource source;
  testing::ToyExecutor executor;
  for (const Segment& segment : segmentation.segments) {
    std::vector<Tensor> weights;
    for (const WeightSpec& spec : segment.weights) {
      auto memory = allocate_bytes(spec.bytes());
      source.read(spec, 0, spec.bytes(), memory.get());
      weights.push_back({spec.dtype, spec.shape, memory});
    }
    executor.load(segment, source.program(segment), weights);
  }
  std::vector<std::vector<TokenId>> all;
  for (std::int64_t r = 0; r < 3; ++r) {
    std::vector<std::int64_t> next = {r + 1, 2, 3};
    std::vector<TokenId> tokens;
    std::int64_t cached = 0;
    while (tokens.size() < 5) {
      const StepContext context{r, {static_cast<std::int64_t>(next.size()), cached}, 8};
      std::map<ValueId, Tensor> values = {{0, make_int64_tensor(next)}};
      for (const Segment& segment : segmentation.segments) {
        std::vector<Tensor> inputs;
        for (const TensorSpec& spec : segment.inputs) inputs.push_back(values.at(spec.value));
        const auto outputs = executor.run(segment.id, context, inputs);
        for (std::size_t i = 0; i < outputs.size(); ++i)
          values[segment.outputs[i].value] = outputs[i];
      }
      cached += static_cast<std::int64_t>(next.size());
      tokens.push_back(greedy_token(values.at(kSegments)));
      next = {tokens.back()};
    }
    all.push_back(tokens);
  }
  return all;
}

TEST(Pipeline, OneDeviceGivesTheTokensOfAPlainLoop) {
  const auto tokens = tokens_of(ToyRun{.stages = {{"a", 0, kSegments - 1, {}}}}());
  EXPECT_EQ(tokens, tokens_of_a_plain_loop());
}

TEST(Pipeline, SixDevicesGiveTheSameTokens) {
  std::vector<Stage> stages;
  for (int i = 0; i < kSegments; ++i) stages.push_back({"d" + std::to_string(i), i, i, {}});
  EXPECT_EQ(tokens_of(ToyRun{.stages = stages}()), tokens_of_a_plain_loop());
}

TEST(Pipeline, ManyRequestsInFlightGiveTheSameTokens) {
  const ToyRun run{.stages = {{"a", 0, 1, {}}, {"b", 2, 4, {}}, {"c", 5, 5, {}}}, .in_flight = 3};
  EXPECT_EQ(tokens_of(run()), tokens_of_a_plain_loop());
}

TEST(Pipeline, RecomputingAllPositionsGivesTheSameTokens) {
  const ToyRun run{.stages = {{"a", 0, 2, {}}, {"b", 3, 5, {}}}, .kv_cache = false};
  EXPECT_EQ(tokens_of(run()), tokens_of_a_plain_loop());
}

TEST(Pipeline, StoredSegmentsThatDoNotRunChangeNothing) {
  const ToyRun run{.stages = {{"a", 0, 2, {3, 4}}, {"b", 3, 5, {2}}}};
  EXPECT_EQ(tokens_of(run()), tokens_of_a_plain_loop());
}

TEST(Pipeline, TheLogHasEveryStepOfEverySegmentAndEveryTransfer) {
  const RunResult result = ToyRun{.stages = {{"a", 0, 2, {}}, {"b", 3, 5, {}}}, .requests = 2}();
  int computes = 0;
  int transfers = 0;
  int loads = 0;
  for (const EventRow& row : result.log.rows()) {
    EXPECT_LE(row.start, row.end);
    computes += row.what == event::kCompute;
    transfers += row.what == event::kTransfer;
    loads += row.what == event::kLoad;
  }
  EXPECT_EQ(computes, 2 * 5 * kSegments);
  EXPECT_EQ(transfers, 2 * 5);
  EXPECT_EQ(loads, kSegments);
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

TEST(Pipeline, ARequestThatTheModelDoesNotTakeEndsTheRunWithTheReason) {
  ToyRun run{.stages = {{"a", 0, 2, {}}, {"b", 3, 5, {}}}};
  run.max_tokens = -1;
  EXPECT_THAT([&] { run(); },
              ThrowsMessage<WorldError>(AllOf(HasSubstr("a failed"), HasSubstr("negative"))));
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
