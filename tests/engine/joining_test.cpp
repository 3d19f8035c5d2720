// Devices that come, or come back, while requests run, over the engine's own loops on simulated devices.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "runtime/base/random.h"
#include "tests/support/toy_run.h"

namespace lingua {
namespace {

using ::testing::HasSubstr;
using testing::shared_among;
using testing::tokens_of_a_plain_loop;
using testing::ToyRun;
using testing::ToyTokens;

const std::vector<DeviceName> kDevices = {"a", "b", "c"};

struct Joining {
  std::set<DeviceName> absent = {};
  int least = 1;  // devices that can hold the model
  Seconds wait{0};
  Crossing crossing = Crossing::kRebuild;
  std::vector<std::string>* changes = nullptr;
};

// Moves to all who are there when somebody has joined. REQUIRES: the absent ones are the last.
ToyRun run_with(const Joining& joining) {
  ToyRun run{.stages = shared_among(kDevices, {joining.absent, {}}, joining.least)};
  run.spares = {joining.absent.begin(), joining.absent.end()};
  run.change_job = [joining](RunJob& job) {
    const Deployment before = job.coordinator.deployment;
    const auto on_all = [=](const Membership& membership) {
      Deployment next = before;
      next.plan.stages = shared_among(kDevices, membership, joining.least);
      next.plan.transfers =
          transfers_of(*before.segmentation, next.plan.stages, before.communication);
      return next;
    };
    job.coordinator.settle = Seconds(0.05);
    job.coordinator.absent = joining.absent;
    job.coordinator.wait_for_devices = joining.wait;
    job.coordinator.recover = on_all;
    job.coordinator.rebalance = [=](const RunState& state) -> std::optional<Move> {
      if (state.joined.empty()) return std::nullopt;
      return Move{on_all(*state.membership), {joining.crossing}, {}, "somebody has joined"};
    };
    if (joining.changes != nullptr)
      job.coordinator.on_change = [=](const std::string& what) {
        joining.changes->push_back(what);
      };
  };
  run.requests = 20;
  run.in_flight = 3;
  return run;
}

ToyTokens tokens_of(const RunResult& result) {
  ToyTokens tokens;
  for (const Done& answer : result.answers) tokens.push_back(answer.tokens);
  return tokens;
}

class Joined : public ::testing::TestWithParam<int> {};

// Each of them is lost, comes back or comes at random, b and c often before what they were is forgotten.
TEST_P(Joined, AnswersAreTheSameWhoeverComesAndGoesAndWhenever) {
  Rng rng(static_cast<std::uint64_t>(GetParam()));
  Joining joining;
  if (rng.below(2) == 0) joining.absent = {"c"};
  joining.crossing = rng.below(3) == 0 ? Crossing::kEnd : Crossing::kRebuild;
  joining.wait = Seconds(5);
  ToyRun run = run_with(joining);
  run.in_flight = 1 + static_cast<int>(rng.below(4));
  run.kv_cache = rng.below(4) != 0;
  run.faults = [&](SimCluster& sim) {
    for (const DeviceName& device : kDevices) {
      double when = 0;
      bool present = !joining.absent.contains(device);
      while (when < 2) {
        when += rng.below(2) == 0 ? rng.uniform(0.001, 0.05) : rng.uniform(0.05, 1);
        present ? sim.kill_at(Seconds(when), device) : sim.join_at(Seconds(when), device);
        present = !present;
      }
      if (!present) sim.join_at(Seconds(when + 0.5), device);
    }
  };
  EXPECT_EQ(tokens_of(run()), tokens_of_a_plain_loop(20));
}

INSTANTIATE_TEST_SUITE_P(Seeds, Joined, ::testing::Range(1, 61));

TEST(JoiningRun, ADeviceThatComesIsUsedAndTheRecordSaysSinceWhen) {
  ToyRun run = run_with({.absent = {"c"}});
  run.faults = [](SimCluster& sim) { sim.join_at(Seconds(0.5), "c"); };
  const RunResult result = run();
  EXPECT_EQ(tokens_of(result), tokens_of_a_plain_loop(20));
  ASSERT_EQ(result.joins.size(), 1U);
  const JoinRecord& join = result.joins.front();
  EXPECT_EQ(join.device, "c");
  EXPECT_NEAR(join.joined.count(), 0.5, 0.01);
  ASSERT_EQ(result.moves.size(), 1U);
  EXPECT_EQ(result.moves.front().failed, "");
  EXPECT_EQ(join.first_use, result.moves.front().switched);
  int rows = 0;
  for (const EventRow& row : result.log.rows()) {
    if (row.what != event::kJoin) continue;
    ++rows;
    EXPECT_EQ(row.who, "c");
    EXPECT_EQ(row.start, join.joined);
    EXPECT_EQ(row.end, *join.first_use);
  }
  EXPECT_EQ(rows, 1);
  const auto& all = result.log.rows();
  EXPECT_TRUE(std::any_of(all.begin(), all.end(), [](const EventRow& row) {
    return row.who == "c" && row.what == event::kCompute;
  }));
}

// Only later does another say that its link to what b was is lost.
TEST(JoiningRun, ADeviceThatComesBackAtOnceKeepsItsLinks) {
  std::vector<std::string> changes;
  ToyRun run = run_with({.changes = &changes});
  run.faults = [](SimCluster& sim) {
    sim.kill_at(Seconds(0.3), "b");
    sim.delay_at(Seconds(0.3), "a", kCoordinator, Seconds(0.2));
    sim.join_at(Seconds(0.31), "b");
  };
  const RunResult result = run();
  EXPECT_EQ(tokens_of(result), tokens_of_a_plain_loop(20));
  EXPECT_EQ(result.recoveries.size(), 1U);
  ASSERT_EQ(result.joins.size(), 1U);
  EXPECT_TRUE(result.joins.front().first_use.has_value());
  EXPECT_EQ(changes.size(), 2U) << "lost and joined; no link was given up";
}

TEST(JoiningRun, WaitsForADeviceWhereWhatIsLeftDoesNotSuffice) {
  std::vector<std::string> changes;
  ToyRun run = run_with({.least = 3, .wait = Seconds(2), .changes = &changes});
  run.faults = [](SimCluster& sim) {
    sim.kill_at(Seconds(0.3), "b");
    sim.join_at(Seconds(1.8), "b");
  };
  const RunResult result = run();
  EXPECT_EQ(tokens_of(result), tokens_of_a_plain_loop(20));
  ASSERT_EQ(result.recoveries.size(), 1U);
  EXPECT_GT(result.recoveries.front().ready, Seconds(1.8));
  ASSERT_EQ(result.joins.size(), 1U);
  EXPECT_EQ(result.joins.front().first_use, result.recoveries.front().ready);
  EXPECT_THAT(changes.at(1), HasSubstr("3 devices are needed; waiting 2 s"));
}

TEST(JoiningRun, WaitsNoLongerThanItIsTold) {
  ToyRun run = run_with({.least = 3, .wait = Seconds(1)});
  run.faults = [](SimCluster& sim) {
    sim.kill_at(Seconds(0.3), "b");
    sim.join_at(Seconds(1.8), "b");
  };
  try {
    run();
    FAIL() << "it ended in order";
  } catch (const WorldError& error) {
    EXPECT_THAT(error.what(),
                HasSubstr("3 devices are needed; no device has joined for 1 s that suffices"));
    EXPECT_THAT(error.what(), HasSubstr("of 20 requests were answered"));
  }
}

TEST(JoiningRun, OneThatComesWhenAllIsAnsweredIsToldToStop) {
  ToyRun run = run_with({.absent = {"c"}});
  run.requests = 2;
  run.change_job = [](RunJob& job) { job.coordinator.absent = {"c"}; };
  run.faults = [](SimCluster& sim) { sim.join_at(Seconds(0.2), "c"); };
  EXPECT_EQ(tokens_of(run()), tokens_of_a_plain_loop(2)) << "which would not end with it";
}

}  // namespace
}  // namespace lingua
