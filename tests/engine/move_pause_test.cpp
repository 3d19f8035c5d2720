// For how long no token comes when requests cross to another plan, by the way that they cross.

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/engine/toy_moves.h"

namespace lingua {
namespace {

using testing::moved;
using testing::tokens_of_a_plain_loop;
using testing::toy_cluster;
using testing::ToyRun;

// Prompts of 300 tokens on devices of a millisecond a token and segment, and a segment that changes its device.
class PauseOfAMove : public ::testing::Test {
 protected:
  // The record of the move, and the time between two tokens before it.
  std::pair<MoveRecord, double> move_by(Crossing crossing) {
    const ClusterSpec cluster = toy_cluster();
    ToyRun run{.stages = {{"a", 0, 1, {}}, {"b", 2, 3, {}}, {"c", 4, 5, {}}}};
    run.requests = 2;
    run.in_flight = 2;
    run.max_tokens = 60;
    run.link = {1e6, Seconds(0.0001)};
    run.prompt = [](std::int64_t request) { return std::vector<std::int64_t>(300, request + 1); };
    run.wire_bytes = [](const MessageBody& body) {
      const auto* chunk = std::get_if<StateChunk>(&body);
      return chunk == nullptr ? 200.0 : 200.0 + static_cast<double>(chunk->states.at(0).bytes());
    };
    run.change_job = [&](RunJob& job) {
      Deployment& deployment = job.coordinator.deployment;
      deployment.measured_against = &cluster;
      deployment.report_every = Seconds(0.005);
      deployment.chunk_bytes = 1000;
      job.coordinator.rebalance = [=](const RunState& state) -> std::optional<Move> {
        const auto requests = state.requests();
        if (state.deployment->epoch > 1 || requests.empty() || requests[0].made < 20)
          return std::nullopt;
        return Move{moved(*state.deployment, {{"a", 0, 0, {}}, {"b", 1, 3, {}}, {"c", 4, 5, {}}}),
                    {crossing},
                    {},
                    "a test asks for it"};
      };
    };
    const RunResult result = run();
    EXPECT_EQ(result.moves.size(), 1U);
    std::vector<double> steps;
    for (const EventRow& row : result.log.rows()) {
      if (row.what == event::kStep && row.step > 0 && row.end < result.moves.at(0).decided)
        steps.push_back((row.end - row.start).count());
    }
    std::nth_element(steps.begin(), steps.begin() + static_cast<std::ptrdiff_t>(steps.size() / 2),
                     steps.end());
    const auto expected = tokens_of_a_plain_loop(2, run.prompt, 60);
    for (std::size_t r = 0; r < 2; ++r) EXPECT_EQ(result.answers.at(r).tokens, expected[r]);
    return {result.moves.at(0), steps.at(steps.size() / 2)};
  }
};

TEST_F(PauseOfAMove, IsTwoTokensAtMostWhereStatesAreKeptTwice) {
  const auto [move, token_s] = move_by(Crossing::kKeepTwice);
  EXPECT_EQ(move.kept_twice, 2);
  EXPECT_GE(move.states_bytes, 2 * 300 * 8);
  EXPECT_GT(move.pause_s, token_s);
  EXPECT_LE(move.pause_s, 2 * token_s);
}

TEST_F(PauseOfAMove, IsAsLongAsStatesTakeWhereTheyMove) {
  const auto [move, token_s] = move_by(Crossing::kMove);
  EXPECT_EQ(move.moved, 2);
  const double sending_s = move.states_bytes / 1e6;
  EXPECT_GT(move.pause_s, sending_s / 2);
  EXPECT_LE(move.pause_s, 2 * sending_s + 2 * token_s);
}

// The prompts of both, 300 tokens and more of two milliseconds on each device.
TEST_F(PauseOfAMove, IsThePrefillWhereStatesAreRebuilt) {
  const auto [move, token_s] = move_by(Crossing::kRebuild);
  EXPECT_EQ(move.rebuilt, 2);
  EXPECT_EQ(move.states_bytes, 0);
  EXPECT_GT(move.pause_s, 2 * 300 * 0.002);
  EXPECT_LT(move.pause_s, 2 * 4 * 320 * 0.002);
}

}  // namespace
}  // namespace lingua
