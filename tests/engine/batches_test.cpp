// Steps that run as one, prompts in pieces and the policies: they change when things happen, never what.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "runtime/base/random.h"
#include "tests/support/toy_run.h"

namespace lingua {
namespace {

using testing::kToySegments;
using testing::tokens_of_a_plain_loop;
using testing::ToyRun;

constexpr int kWorlds = 6;
constexpr int kDrawsEach = 60;

std::vector<Stage> random_stages(Rng& rng) {
  std::vector<Stage> stages;
  for (int first = 0; first < kToySegments;) {
    const int last =
        first + static_cast<int>(rng.below(static_cast<std::uint64_t>(kToySegments - first)));
    stages.push_back({fmt::format("d{}", stages.size()), first, last, {}});
    first = last + 1;
  }
  if (stages.size() > 2 && rng.below(2) == 0) stages.back().device = "d0";
  return stages;
}

Scheduling random_scheduling(Rng& rng) {
  constexpr std::int64_t kChunks[] = {kWholePrompts, kAutoChunk, 1, 2, 3, 5, 8, 40};
  return {static_cast<Policy>(rng.below(3)), 1 + static_cast<int>(rng.below(8)),
          kChunks[rng.below(std::size(kChunks))]};
}

Communication random_communication(Rng& rng) {
  return {static_cast<WireType>(rng.below(3)),  // the toy's numbers are integers, which stay
          rng.below(2) == 0 ? ResidualPath::kDirect : ResidualPath::kRelay, rng.below(2) == 0};
}

// Prompts of up to 100 tokens.
std::vector<std::int64_t> prompt_of(std::int64_t request) {
  Rng rng(static_cast<std::uint64_t>(request) + 99);
  const auto longest = static_cast<std::uint64_t>(request % 3 == 0 ? 100 : 12);
  std::vector<std::int64_t> tokens(1 + rng.below(longest));
  for (std::int64_t& token : tokens) token = static_cast<std::int64_t>(rng.below(97));
  return tokens;
}

ToyRun random_run(std::uint64_t seed) {
  Rng rng(seed);
  ToyRun run{.stages = random_stages(rng)};
  run.in_flight = 1 + static_cast<int>(rng.below(10));
  run.requests = 1 + static_cast<int>(rng.below(16));
  run.max_tokens = 1 + static_cast<std::int64_t>(rng.below(6));
  run.kv_cache = rng.below(6) != 0;
  run.prompt = prompt_of;
  run.link = {rng.uniform(1e4, 1e7), Seconds(rng.uniform(0, 0.02))};
  const Scheduling scheduling = random_scheduling(rng);
  const std::vector<Stage> later = random_stages(rng);
  const bool moves = rng.below(3) == 0;
  std::set<DeviceName> spares;
  for (const Stage& stage : later) spares.insert(stage.device);
  for (const Stage& stage : run.stages) spares.erase(stage.device);
  if (moves) run.spares.assign(spares.begin(), spares.end());
  const Communication communication = random_communication(rng);
  run.change_deployment = [=](Deployment& deployment) {
    deployment.scheduling = scheduling;
    deployment.communication = communication;
    deployment.plan.transfers =
        transfers_of(*deployment.segmentation, deployment.plan.stages, communication);
  };
  run.change_job = [=](RunJob& job) {
    if (moves) testing::move_after_one(job, later);
  };
  return run;
}

class Batches : public ::testing::TestWithParam<int> {};

TEST_P(Batches, TokensAreThoseOfAPlainLoopForEveryPlanPolicyLimitChunkAndCommunication) {
  const auto first = static_cast<std::uint64_t>(GetParam()) * kDrawsEach;
  for (std::uint64_t seed = first; seed < first + kDrawsEach; ++seed) {
    // In a process of its own: SimGrid simulates once.
    EXPECT_EXIT(
        {
          const ToyRun run = random_run(seed);
          const bool same =
              run.tokens() == tokens_of_a_plain_loop(run.requests, prompt_of,
                                                     static_cast<std::size_t>(run.max_tokens));
          _exit(same ? 0 : 1);
        },
        ::testing::ExitedWithCode(0), "")
        << "seed " << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(Draws, Batches, ::testing::Range(0, kWorlds));

const std::vector<Stage> kTwoStages = {{"a", 0, 2, {}}, {"b", 3, 5, {}}};

// What ran as one on a device: the steps whose rows have the same segment, start and end.
std::vector<std::set<std::pair<RequestId, std::int64_t>>> batches_of(const EventLog& log,
                                                                     const DeviceName& device,
                                                                     SegmentId segment) {
  std::map<Seconds, std::set<std::pair<RequestId, std::int64_t>>> by_start;
  for (const EventRow& row : log.rows()) {
    if (row.who == device && row.what == event::kCompute && row.segment == segment)
      by_start[row.start].insert({row.request, row.step});
  }
  std::vector<std::set<std::pair<RequestId, std::int64_t>>> batches;
  for (const auto& [start, batch] : by_start) batches.push_back(batch);
  return batches;
}

std::size_t largest(const std::vector<std::set<std::pair<RequestId, std::int64_t>>>& batches) {
  std::size_t most = 0;
  for (const auto& batch : batches) most = std::max(most, batch.size());
  return most;
}

ToyRun eight_in_flight(const Scheduling& scheduling) {
  ToyRun run{.stages = kTwoStages, .in_flight = 8, .requests = 8};
  run.change_deployment = [=](Deployment& deployment) { deployment.scheduling = scheduling; };
  return run;
}

TEST(Batch, StepsThatWaitRunAsOneUpToTheLimit) {
  const RunResult result = eight_in_flight({Policy::kFifo, 3})();
  EXPECT_EQ(largest(batches_of(result.log, "a", 0)), 3U);
  EXPECT_EQ(largest(batches_of(result.log, "b", 3)), 3U);
}

TEST(Batch, IsOfOneStepWhereNobodyAskedForMore) {
  EXPECT_EQ(largest(batches_of(eight_in_flight({})().log, "a", 0)), 1U);
}

TEST(Batch, IsOfOneStepWhereTheModelPromisesNothing) {
  ToyRun run = eight_in_flight({Policy::kFifo, 8, 1});
  run.change_model = [](Segmentation& model) { model.freedom = {}; };
  const RunResult result = run();
  EXPECT_EQ(largest(batches_of(result.log, "a", 0)), 1U);
  EXPECT_EQ(batches_of(result.log, "a", 0).size(), 8U * 5U) << "and its prompts stay whole";
}

TEST(Batch, HasNoMoreStepsThanTheMemoryHoldsActivationsOf) {
  ToyRun run = eight_in_flight({Policy::kFifo, 8});
  run.prompt = [](std::int64_t request) { return std::vector<std::int64_t>{request + 1}; };
  const double weights = 3 * 40 + 24;
  const double states = 8 * 3 * 6 * 8;
  double activations = 0;  // of every step: one token
  for (const Segment& segment : testing::toy_segmentation(kToySegments, true).segments)
    activations = std::max(activations, segment.activation_bytes({1, 0}));
  run.memory_bytes = weights + states + 2.5 * activations;
  const RunResult result = run();
  ASSERT_EQ(result.answers.size(), 8U);
  EXPECT_EQ(largest(batches_of(result.log, "b", 3)), 2U);
}

TEST(Batch, GoesOnWithoutARequestThatFailsInIt) {
  class Picky : public testing::ToyExecutor {
   public:
    std::vector<Tensor> outputs_of(SegmentId id, const StepContext& context,
                                   const std::vector<Tensor>& inputs) override {
      if (id == 4 && context.request == 5 && context.step.cached_tokens > 3)
        throw WorldError("no such row in the table");
      return ToyExecutor::outputs_of(id, context, inputs);
    }
  };
  ToyRun run = eight_in_flight({Policy::kFifo, 8});
  run.make_executor = [] { return std::make_unique<Picky>(); };
  const RunResult result = run();
  ASSERT_EQ(result.refusals.size(), 1U);
  EXPECT_THAT(result.refusals[0].reason, ::testing::HasSubstr("b: no such row in the table"));
  auto expected = tokens_of_a_plain_loop(8);
  expected.erase(expected.begin() + 5);
  ASSERT_EQ(result.answers.size(), 7U);
  for (std::size_t i = 0; i < 7; ++i) EXPECT_EQ(result.answers[i].tokens, expected[i]);
}

// A long prompt comes while others are answered.
ToyRun long_prompt_among_short(const Scheduling& scheduling) {
  ToyRun run{.stages = kTwoStages, .in_flight = 4, .requests = 4, .max_tokens = 30};
  run.prompt = [](std::int64_t request) {
    return std::vector<std::int64_t>(request == 3 ? 1000 : 4, request + 1);
  };
  run.change_deployment = [=](Deployment& deployment) { deployment.scheduling = scheduling; };
  return run;
}

double longest_step_s(const RunResult& result) {
  double longest = 0;
  for (const EventRow& row : result.log.rows()) {
    if (row.what == event::kStep && row.request < 3 && row.step > 0)
      longest = std::max(longest, (row.end - row.start).count());
  }
  return longest;
}

// A stage computes the long prompt for 3 s.
TEST(Chunks, LetTokensPassALongPrompt) {
  EXPECT_EXIT({ _exit(longest_step_s(long_prompt_among_short({})()) > 3 ? 0 : 1); },
              ::testing::ExitedWithCode(0), "");
  const Scheduling cut{Policy::kFifo, 1, 10};
  EXPECT_EXIT({ _exit(longest_step_s(long_prompt_among_short(cut)()) < 0.3 ? 0 : 1); },
              ::testing::ExitedWithCode(0), "");
}

// Of one request: the steps of the first device begin while later devices compute the ones before.
TEST(Chunks, FillThePipelineAndGiveOneRowForThePrompt) {
  ToyRun run{.stages = kTwoStages, .requests = 1, .max_tokens = 2};
  run.prompt = [](std::int64_t) { return std::vector<std::int64_t>(1000, 5); };
  run.change_deployment = [](Deployment& deployment) { deployment.scheduling.chunk = 100; };
  const RunResult result = run();
  Seconds last_on_a{0};
  Seconds first_on_b = kNever;
  std::vector<std::int64_t> answered;
  for (const EventRow& row : result.log.rows()) {
    if (row.what == event::kCompute && row.step == 9 && row.who == "a")
      last_on_a = std::max(last_on_a, row.end);
    if (row.what == event::kCompute && row.who == "b") first_on_b = std::min(first_on_b, row.start);
    if (row.what == event::kStep) answered.push_back(row.step);
  }
  EXPECT_LT(first_on_b, last_on_a);
  EXPECT_THAT(answered, ::testing::ElementsAre(9, 10));
}

TEST(Chunks, TheTailerKnowsThePromptsLastTokens) {
  std::vector<SampleContext> seen;
  ToyRun run{.stages = kTwoStages, .requests = 1, .max_tokens = 2};
  run.prompt = [](std::int64_t) { return std::vector<std::int64_t>{4, 5, 6, 7, 8, 9}; };
  run.worker.sampler = [&seen](const Tensor& logits, const SampleContext& context) {
    seen.push_back(context);
    return greedy_token(logits);
  };
  run.change_job = [](RunJob& job) {
    job.client.requests[0].sampling.repetition_penalty = 1.5;
    job.client.requests[0].sampling.repetition_window = 4;
  };
  run.change_deployment = [](Deployment& deployment) { deployment.scheduling.chunk = 2; };
  const auto tokens = run.tokens().at(0);
  ASSERT_EQ(seen.size(), 2U) << "no token is chosen while the prompt goes on";
  EXPECT_EQ(seen[0].position, 6);
  EXPECT_THAT(seen[0].recent, ::testing::ElementsAre(6, 7, 8, 9));
  EXPECT_THAT(seen[1].recent, ::testing::ElementsAre(7, 8, 9, tokens[0]));
}

// Has no memory for the first piece of the first prompt.
class RefusesAPiece : public testing::ToyExecutor {
 public:
  std::vector<Tensor> outputs_of(SegmentId id, const StepContext& context,
                                 const std::vector<Tensor>& inputs) override {
    if (id == kToySegments - 1 && context.request == 0 && context.step.cached_tokens == 0)
      throw WorldError("no memory is left");
    return ToyExecutor::outputs_of(id, context, inputs);
  }
};

// The pieces that follow are under way when the first is refused, which the header hears of late.
TEST(Chunks, APromptWhosePieceIsRefusedEndsAlone) {
  ToyRun run{.stages = {{"a", 0, 2, {}}, {"b", 3, 5, {}}}, .in_flight = 2};
  run.make_executor = [] { return std::make_unique<RefusesAPiece>(); };
  run.wire_bytes = [](const MessageBody& body) {
    return std::holds_alternative<Refused>(body) ? 50000.0 : 1000.0;
  };
  run.change_deployment = [](Deployment& deployment) {
    deployment.scheduling = {Policy::kFifo, 1, 1};
  };
  const RunResult result = run();
  ASSERT_EQ(result.refusals.size(), 1U);
  EXPECT_EQ(result.refusals[0].request, 0);
  EXPECT_EQ(result.answers.size(), 2U);
}

}  // namespace
}  // namespace lingua
