// Plans that change while requests run, over the engine's own loops on simulated devices.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "runtime/base/random.h"
#include "tests/engine/toy_moves.h"

namespace lingua {
namespace {

using testing::kToyDevices;
using testing::kToySegments;
using testing::moved;
using testing::tokens_of_a_plain_loop;
using testing::toy_cluster;
using testing::ToyRun;

// Some devices in some order, and cuts anywhere.
std::vector<Stage> random_stages(Rng& rng, std::vector<DeviceName> devices) {
  std::vector<Stage> stages;
  SegmentId first = 0;
  while (first < kToySegments) {
    const std::size_t at = rng.below(devices.size());
    const DeviceName device = devices[at];
    devices.erase(devices.begin() + static_cast<std::ptrdiff_t>(at));
    const auto most = static_cast<std::uint64_t>(kToySegments - first);
    const SegmentId last =
        devices.empty() ? kToySegments - 1 : first + static_cast<SegmentId>(rng.below(most));
    stages.push_back({device, first, last, {}});
    first = last + 1;
  }
  return stages;
}

std::vector<DeviceName> left_of(const Membership& membership) {
  std::vector<DeviceName> devices = kToyDevices;
  std::erase_if(devices, [&](const DeviceName& name) { return membership.lost.contains(name); });
  if (devices.empty()) throw WorldError("no device is left");
  return devices;
}

struct Moves {
  double probability = 0.3;  // of a move at a report
  std::uint64_t seed = 1;
  std::vector<Crossing> crossings = {Crossing::kEnd, Crossing::kRebuild, Crossing::kMove,
                                     Crossing::kKeepTwice};
};

// Moves to random plans, again and again.
ToyRun restless(const Moves& moves, const ClusterSpec& cluster) {
  ToyRun run{.stages = {{"a", 0, 1, {}}, {"b", 2, 3, {}}, {"c", 4, 5, {}}}};
  run.spares = {"d"};
  run.change_job = [moves, &cluster](RunJob& job) {
    Deployment& deployment = job.coordinator.deployment;
    deployment.measured_against = &cluster;
    deployment.cluster = std::make_shared<const ClusterSpec>(cluster);
    deployment.report_every = Seconds(0.005);
    const auto rng = std::make_shared<Rng>(moves.seed);
    job.coordinator.rebalance = [=](const RunState& state) -> std::optional<Move> {
      if (rng->uniform(0, 1) > moves.probability) return std::nullopt;
      const auto crossing = [&] { return moves.crossings[rng->below(moves.crossings.size())]; };
      Move move{moved(*state.deployment, random_stages(*rng, left_of(*state.membership))),
                {crossing()},
                {},
                "a test asks for it"};
      for (const RunState::Request& request : state.requests()) {
        if (rng->below(3) == 0) move.crossings.requests[request.id] = crossing();
      }
      return move;
    };
    job.coordinator.recover = [=, before = deployment](const Membership& membership) {
      return moved(before, random_stages(*rng, left_of(membership)));
    };
  };
  return run;
}

class Moving : public ::testing::TestWithParam<int> {};

TEST_P(Moving, AnswersAreTheSameWhateverMovesAndWhenever) {
  Rng rng(static_cast<std::uint64_t>(GetParam()) + 1000);
  const ClusterSpec cluster = toy_cluster();
  Moves moves{rng.uniform(0.05, 0.9), rng.below(1000)};
  ToyRun run = restless(moves, cluster);
  run.requests = 12;
  run.in_flight = 1 + static_cast<int>(rng.below(4));
  run.kv_cache = rng.below(4) != 0;
  const int max_batch = 1 + static_cast<int>(rng.below(3));
  const std::int64_t chunk = rng.below(2) == 0 ? kWholePrompts : 2;
  run.change_deployment = [=](Deployment& deployment) {
    deployment.scheduling = {Policy::kFifo, max_batch, chunk};
  };
  if (rng.below(3) == 0) {
    const DeviceName victim = kToyDevices[rng.below(kToyDevices.size())];
    const double when = rng.uniform(0, 2);
    run.faults = [=](SimCluster& sim) { sim.kill_at(Seconds(when), victim); };
  }
  const RunResult result = run();
  testing::ToyTokens tokens;
  for (const Done& answer : result.answers) tokens.push_back(answer.tokens);
  EXPECT_EQ(tokens, tokens_of_a_plain_loop(12));
}

INSTANTIATE_TEST_SUITE_P(Seeds, Moving, ::testing::Range(1, 61));

TEST(MovingRun, RequestsCrossInTheMiddleAndTheRecordSaysWhatItTook) {
  const ClusterSpec cluster = toy_cluster();
  ToyRun run = restless({1, 7}, cluster);
  run.requests = 12;
  run.max_tokens = 30;
  run.in_flight = 3;
  const RunResult result = run();
  ASSERT_GT(result.moves.size(), 3U);
  MoveRecord all;
  double states_bytes = 0;
  for (const MoveRecord& move : result.moves) {
    if (!move.failed.empty()) continue;
    EXPECT_LE(move.decided, move.ready);
    EXPECT_LE(move.ready, move.switched);
    all.rebuilt += move.rebuilt;
    all.moved += move.moved;
    all.kept_twice += move.kept_twice;
    all.ended += move.ended;
    states_bytes += move.states_bytes;
  }
  EXPECT_GT(all.rebuilt, 0);
  EXPECT_GT(all.moved, 0);
  EXPECT_GT(all.kept_twice, 0);
  EXPECT_GT(all.ended, 0);
  EXPECT_GT(states_bytes, 0);
  int rows = 0;
  for (const EventRow& row : result.log.rows())
    rows += static_cast<int>(row.what == event::kMove && row.who == kCoordinator);
  EXPECT_EQ(rows, static_cast<int>(
                      std::count_if(result.moves.begin(), result.moves.end(),
                                    [](const MoveRecord& move) { return move.failed.empty(); })));
}

TEST(MovingRun, APromptMovesInTheMiddleOfItsPieces) {
  const ClusterSpec cluster = toy_cluster();
  ToyRun run = restless({0.5, 3}, cluster);
  run.requests = 2;
  run.max_tokens = 5;
  run.prompt = [](std::int64_t request) {
    std::vector<std::int64_t> prompt;
    for (std::int64_t i = 0; i < 40; ++i) prompt.push_back((request + i) % 90);
    return prompt;
  };
  run.change_deployment = [](Deployment& deployment) {
    deployment.scheduling = {Policy::kFifo, 1, 2};
  };
  const RunResult result = run();
  ASSERT_EQ(result.answers.size(), 2U);
  EXPECT_TRUE(std::any_of(result.moves.begin(), result.moves.end(),
                          [](const MoveRecord& move) { return move.requests() > 0; }));
  const auto expected = tokens_of_a_plain_loop(2, run.prompt);
  for (std::size_t r = 0; r < 2; ++r) EXPECT_EQ(result.answers[r].tokens, expected[r]);
}

TEST(MovingRun, WithoutReportsNothingIsMeasuredOrSent) {
  ToyRun run{.stages = {{"a", 0, 2, {}}, {"b", 3, 5, {}}}};
  int reports = 0;
  run.wire_bytes = [&](const MessageBody& body) {
    reports += static_cast<int>(std::holds_alternative<WorkReport>(body));
    return 1000.0;
  };
  run();
  EXPECT_EQ(reports, 0);
}

// From a and b to a and d, once a request has ended. The coordinator's link to d takes a second for each piece of
// weights, of which d lacks eleven, and nothing else takes any time.
ToyRun to_a_device_far_from_the_coordinator(double move_bytes_per_s) {
  ToyRun run{.stages = {{"a", 0, 2, {}}, {"b", 3, 5, {}}}};
  run.spares = {"c", "d"};
  run.requests = 40;
  run.wire_bytes = [](const MessageBody& body) {
    return std::holds_alternative<WeightChunk>(body) ? 1000.0 : 1.0;
  };
  run.change_cluster = [](ClusterSpec& cluster) {
    cluster.links[{kCoordinator, "d"}] = {1000, Seconds(0.002)};
  };
  run.change_job = [=](RunJob& job) {
    Deployment& deployment = job.coordinator.deployment;
    deployment.move_bytes_per_s = move_bytes_per_s;
    ClusterSpec cluster = toy_cluster();
    run.change_cluster(cluster);
    deployment.cluster = std::make_shared<const ClusterSpec>(cluster);
    job.coordinator.rebalance = [](const RunState& state) -> std::optional<Move> {
      if (state.ended != 1) return std::nullopt;
      return Move{moved(*state.deployment, {{"a", 0, 2, {}}, {"d", 3, 5, {}}}),
                  {Crossing::kEnd},
                  {},
                  "a test asks for it"};
    };
  };
  return run;
}

// Returns it.
MoveRecord expect_one_move_of_all_weights(const ToyRun& run, const RunResult& result) {
  testing::ToyTokens tokens;
  for (const Done& answer : result.answers) tokens.push_back(answer.tokens);
  EXPECT_EQ(tokens, tokens_of_a_plain_loop(run.requests));
  EXPECT_THAT(result.notes, ::testing::IsEmpty());
  if (result.moves.size() != 1U) {
    ADD_FAILURE() << result.moves.size() << " moves";
    return {};
  }
  const MoveRecord& move = result.moves[0];
  EXPECT_EQ(move.failed, "");
  EXPECT_EQ(move.weights_bytes, 3 * 40 + 24);
  double bytes = 0;
  for (const auto& [from, some] : move.weights_from) bytes += some;
  EXPECT_EQ(bytes, move.weights_bytes);
  return move;
}

TEST(GivenWeights, GoOverTheLinkOfTheDevicesAndNotTheCoordinators) {
  const ToyRun run = to_a_device_far_from_the_coordinator(0);
  const MoveRecord move = expect_one_move_of_all_weights(run, run());
  EXPECT_FALSE(move.weights_from.contains(kCoordinator));
  EXPECT_GE(move.weights_from.at("b"), 3 * 40);
  EXPECT_LT(move.ready - move.decided, Seconds(0.5));
}

TEST(GivenWeights, KeepToTheBoundOfAMoveWhichTheFirstDeploymentDoesNotHave) {
  const double bytes_per_s = 16;  // a piece each second
  const ToyRun run = to_a_device_far_from_the_coordinator(bytes_per_s);
  const RunResult result = run();
  const MoveRecord move = expect_one_move_of_all_weights(run, result);
  EXPECT_LT(result.deployment, Seconds(0.5));
  const double took_s = (move.ready - move.decided).count();
  for (const auto& [from, bytes] : move.weights_from)
    EXPECT_LE(bytes, bytes_per_s * (took_s + 1) + 16) << from;
  EXPECT_LT(took_s, 144 / bytes_per_s) << "several send at once";
}

}  // namespace
}  // namespace lingua
