// Generation beyond the greedy token: sampling that travels, requests that are asked for or
// cancelled while the run goes on.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "runtime/base/errors.h"
#include "tests/support/toy_run.h"

namespace lingua {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;
using testing::tokens_of_a_plain_loop;
using testing::ToyRun;
using testing::ToyTokens;

const std::vector<Stage> kThreeStages = {{"a", 0, 1, {}}, {"b", 2, 4, {}}, {"c", 5, 5, {}}};

// What samplers were given, by any device of the run.
using Seen = std::vector<SampleContext>;

Sampler recording(Seen& seen) {
  return [&seen](const Tensor& logits, const SampleContext& context) {
    seen.push_back(context);
    return greedy_token(logits);
  };
}

TEST(Sampling, ReachesATailerThatIsNotTheHeader) {
  const Sampling sampling{0.7, 40, 0.9, 1, 64, 1234567890123456789};
  Seen seen;
  ToyRun run{.stages = kThreeStages, .requests = 1};
  run.worker.sampler = recording(seen);
  run.change_job = [&](RunJob& job) { job.client.requests[0].sampling = sampling; };
  EXPECT_EQ(run.tokens()[0], tokens_of_a_plain_loop()[0]);
  ASSERT_EQ(seen.size(), 5U);
  for (std::size_t i = 0; i < seen.size(); ++i) {
    EXPECT_EQ(seen[i].sampling, sampling);
    EXPECT_EQ(seen[i].position, static_cast<std::int64_t>(3 + i));
    EXPECT_THAT(seen[i].recent, ElementsAre()) << "there is no penalty";
  }
}

TEST(Sampling, ThePenaltySeesTheLastTokensOfPromptAndAnswer) {
  Seen seen;
  ToyRun run{.stages = kThreeStages, .requests = 1};
  run.worker.sampler = recording(seen);
  run.change_job = [](RunJob& job) {
    job.client.requests[0].sampling.repetition_penalty = 1.3;
    job.client.requests[0].sampling.repetition_window = 4;
  };
  const auto made = run.tokens()[0];
  std::vector<TokenId> all = {1, 2, 3};
  ASSERT_EQ(seen.size(), 5U);
  for (std::size_t i = 0; i < seen.size(); ++i) {
    const auto from = all.size() > 4 ? all.end() - 4 : all.begin();
    EXPECT_EQ(seen[i].recent, std::vector<TokenId>(from, all.end())) << i;
    all.push_back(made[i]);
  }
}

TEST(Sampling, ThePenaltyOfEachRequestInFlightLooksAtItsOwnTokens) {
  std::map<std::int64_t, Seen> seen;  // by the request's window
  ToyRun run{.stages = kThreeStages, .in_flight = 3};
  run.worker.sampler = [&](const Tensor& logits, const SampleContext& context) {
    seen[context.sampling.repetition_window].push_back(context);
    return greedy_token(logits);
  };
  run.change_job = [](RunJob& job) {
    for (Submit& request : job.client.requests) {
      request.sampling.repetition_penalty = 1.3;
      request.sampling.repetition_window = request.request;  // 0: at none
    }
  };
  const ToyTokens made = run.tokens();
  for (std::int64_t r = 0; r < 3; ++r) {
    std::vector<TokenId> all = {r + 1, 2, 3};
    ASSERT_EQ(seen[r].size(), 5U);
    for (std::size_t i = 0; i < 5; ++i) {
      EXPECT_EQ(seen[r][i].recent, std::vector<TokenId>(all.end() - r, all.end())) << r << " " << i;
      all.push_back(made[static_cast<std::size_t>(r)][i]);
    }
  }
}

TEST(Sampling, AStepIsAsLargeWithAPenaltyAfterManyTokensAsAfterFew) {
  std::map<std::int64_t, std::size_t> sent;  // remembered tokens, by step
  ToyRun run{.stages = kThreeStages, .requests = 1, .max_tokens = 40};
  run.worker.sampler = [](const Tensor& logits, const SampleContext&) {
    return greedy_token(logits);
  };
  run.change_job = [](RunJob& job) { job.client.requests[0].sampling.repetition_penalty = 1.3; };
  run.wire_bytes = [&](const MessageBody& body) {
    if (const auto* message = std::get_if<Activations>(&body)) {
      sent[message->step_index] += message->recent.size();
    }
    return 1000.0;
  };
  EXPECT_EQ(run.tokens()[0].size(), 40U);
  ASSERT_EQ(sent.size(), 40U);
  EXPECT_GE(sent[0], 3U) << "the prompt";
  for (std::int64_t i = 1; i < 40; ++i) EXPECT_EQ(sent[i], 0U) << i;
}

TEST(Sampling, EachRequestInFlightKeepsItsOwn) {
  ToyRun run{.stages = kThreeStages, .in_flight = 3};
  // A token that tells whose sampling was used, and where.
  run.worker.sampler = [](const Tensor&, const SampleContext& context) {
    return static_cast<TokenId>(context.sampling.seed) * 10 + context.position;
  };
  run.change_job = [](RunJob& job) {
    for (Submit& request : job.client.requests) {
      request.sampling.temperature = 1;  // a greedy request's seed counts for nothing
      request.sampling.seed = static_cast<std::uint64_t>(request.request + 1);
    }
  };
  EXPECT_EQ(run.tokens(),
            (ToyTokens{{13, 14, 15, 16, 17}, {23, 24, 25, 26, 27}, {33, 34, 35, 36, 37}}));
}

// The middle one of three requests, whose sampling is not for these devices; the others go on.
std::string refusal_of(const Sampling& sampling) {
  ToyRun run{.stages = kThreeStages, .in_flight = 3};
  run.change_job = [&](RunJob& job) { job.client.requests[1].sampling = sampling; };
  const RunResult result = run();
  EXPECT_EQ(result.answers.size(), 2U);
  EXPECT_EQ(result.answers.back().tokens, tokens_of_a_plain_loop()[2]);
  EXPECT_EQ(result.refusals.size(), 1U);
  EXPECT_EQ(result.refusals.front().request, 1);
  return result.refusals.front().reason;
}

TEST(Sampling, ByTemperatureIsRefusedByAWorkerWithoutASampler) {
  EXPECT_THAT(refusal_of({.temperature = 0.5}),
              AllOf(HasSubstr("c: "), HasSubstr("greedily only")));
}

TEST(Sampling, WithAPenaltyIsRefusedByAWorkerWithoutASampler) {
  EXPECT_THAT(refusal_of({.repetition_penalty = 1.1}),
              AllOf(HasSubstr("c: "), HasSubstr("greedily only")));
}

TEST(Sampling, OutOfRangeIsRefused) {
  EXPECT_THAT(refusal_of({.top_p = 2}), AllOf(HasSubstr("a: "), HasSubstr("sampling")));
}

// Cancels request 1 when its token with this index has come.
ToyRun cancelling(std::int64_t index, int in_flight) {
  ToyRun run{.stages = kThreeStages, .in_flight = in_flight, .max_tokens = 50};
  run.change_job = [index](RunJob& job) {
    job.client.on_token = [index](const TokenMade& token) {
      return token.request != 1 || token.index < index;
    };
  };
  return run;
}

void expect_only_the_second_is_shorter(const ToyTokens& tokens) {
  ASSERT_EQ(tokens.size(), 3U);
  EXPECT_EQ(tokens[0].size(), 50U);
  EXPECT_EQ(tokens[2].size(), 50U);
  // The step that was under way when the message came still gives its token.
  EXPECT_GE(tokens[1].size(), 3U);
  EXPECT_LE(tokens[1].size(), 5U);
  const auto plain = tokens_of_a_plain_loop();
  for (std::size_t r = 0; r < 3; ++r) {
    for (std::size_t i = 0; i < std::min<std::size_t>(5, tokens[r].size()); ++i)
      EXPECT_EQ(tokens[r][i], plain[r][i]) << r << " " << i;
  }
}

TEST(Cancel, EndsOneRequestAndNoOther) {
  expect_only_the_second_is_shorter(cancelling(2, 1).tokens());
}

TEST(Cancel, EndsOneOfManyInFlight) {
  expect_only_the_second_is_shorter(cancelling(2, 3).tokens());
}

TEST(Cancel, AfterTheLastTokenChangesNothing) {
  ToyRun run{.stages = kThreeStages};
  run.change_job = [](RunJob& job) {
    job.client.on_token = [](const TokenMade& token) { return token.index < 4; };
  };
  EXPECT_EQ(run.tokens(), tokens_of_a_plain_loop());
}

TEST(Cancel, FreesTheStatesOfTheRequest) {
  static std::size_t most = 0;
  class Counting : public testing::ToyExecutor {
   public:
    std::vector<Tensor> outputs_of(SegmentId id, const StepContext& context,
                                   const std::vector<Tensor>& inputs) override {
      auto outputs = ToyExecutor::outputs_of(id, context, inputs);
      most = std::max(most, states());
      return outputs;
    }
  };
  ToyRun run = cancelling(0, 1);
  run.make_executor = [] { return std::make_unique<Counting>(); };
  run();
  EXPECT_EQ(most, 3U) << "the segments of b, for one request at a time";
}

// Hands out the toy's requests one by one, as a person would.
ToyRun asking(int in_flight, std::vector<std::size_t>& answered_when_asked) {
  ToyRun run{.stages = kThreeStages, .in_flight = in_flight, .requests = 0};
  run.change_job = [&answered_when_asked](RunJob& job) {
    auto answered = std::make_shared<std::size_t>(0);
    auto asked = std::make_shared<int>(0);
    job.client.on_done = [answered](const Done&) { ++*answered; };
    const ToyRun toy{.stages = kThreeStages};
    job.client.next_request = [=, &answered_when_asked](const auto&) -> std::optional<Submit> {
      answered_when_asked.push_back(*answered);
      if (*asked == 3) return std::nullopt;
      return toy.request((*asked)++);
    };
  };
  return run;
}

TEST(NextRequest, IsAskedForWhenTheLastOneIsAnswered) {
  std::vector<std::size_t> answered;
  EXPECT_EQ(asking(1, answered).tokens(), tokens_of_a_plain_loop());
  EXPECT_THAT(answered, ElementsAre(0, 1, 2, 3)) << "and no more after there was none";
}

TEST(NextRequest, FillsThePipelineWhenMoreMayBeInFlight) {
  std::vector<std::size_t> answered;
  EXPECT_EQ(asking(2, answered).tokens(), tokens_of_a_plain_loop());
  ASSERT_EQ(answered.size(), 4U);
  EXPECT_EQ(answered[1], 0U) << "the second is asked for while the first is answered";
  EXPECT_LE(answered[2], 1U);
}

TEST(NextRequest, ComesAfterTheGivenRequests) {
  std::vector<std::size_t> answered;
  ToyRun run = asking(1, answered);
  const auto ask = run.change_job;
  run.change_job = [&](RunJob& job) {
    ask(job);
    job.client.requests.push_back(run.request(7));
  };
  const auto tokens = run.tokens();
  ASSERT_EQ(tokens.size(), 4U);
  EXPECT_EQ((ToyTokens{tokens.begin() + 1, tokens.end()}), tokens_of_a_plain_loop());
  EXPECT_THAT(answered, ElementsAre(1, 2, 3, 4));
}

TEST(NextRequest, WithNothingToDoEndsTheRunInOrder) {
  ToyRun run{.stages = kThreeStages, .requests = 0};
  run.change_job = [](RunJob& job) {
    job.client.next_request = [](const auto&) -> std::optional<Submit> { return std::nullopt; };
  };
  EXPECT_TRUE(run().answers.empty());
}

}  // namespace
}  // namespace lingua
