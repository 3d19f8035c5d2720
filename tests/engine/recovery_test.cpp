// Devices that are lost in the middle of a run, over the engine's own loops on simulated devices.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "runtime/base/random.h"
#include "tests/stress/decorated.h"
#include "tests/support/toy_run.h"

namespace lingua {
namespace {

using ::testing::HasSubstr;
using testing::shared_among;
using testing::tokens_of_a_plain_loop;
using testing::ToyRun;

const std::vector<DeviceName> kDevices = {"a", "b", "c", "d"};

ToyRun recovering_run() {
  ToyRun run{.stages = shared_among(kDevices, {})};
  run.change_job = [](RunJob& job) {
    const Deployment before = job.coordinator.deployment;
    job.coordinator.recover = [before](const Membership& membership) {
      Deployment next = before;
      next.plan.stages = shared_among(kDevices, membership);
      next.plan.transfers =
          transfers_of(*before.segmentation, next.plan.stages, before.communication);
      return next;
    };
  };
  return run;
}

// Exit code 0 when the answers are those of a plain loop. SimGrid simulates once in a process.
template <class Change>
void expect_same_answers(const Change& change, int requests, const std::string& what) {
  EXPECT_EXIT(
      {
        ToyRun run = recovering_run();
        run.requests = requests;
        change(run);
        _exit(run.tokens() == tokens_of_a_plain_loop(requests) ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "")
      << what;
}

class Recovery : public ::testing::TestWithParam<int> {};

TEST_P(Recovery, AnswersAreTheSameWhoeverIsLostAndWhenever) {
  Rng rng(static_cast<std::uint64_t>(GetParam()));
  const int losses = 1 + static_cast<int>(rng.below(3));
  std::vector<DeviceName> victims = kDevices;
  std::string what;
  std::vector<std::pair<DeviceName, double>> kills;
  for (int i = 0; i < losses; ++i) {
    const std::size_t at = rng.below(victims.size());
    kills.emplace_back(victims[at], rng.uniform(0, 1.5));
    what += fmt::format("{} at {:.4f} s ", kills.back().first, kills.back().second);
    victims.erase(victims.begin() + static_cast<std::ptrdiff_t>(at));
  }
  const int in_flight = 1 + static_cast<int>(rng.below(4));
  const int max_batch = 1 + static_cast<int>(rng.below(3));
  const std::int64_t chunk = rng.below(2) == 0 ? kWholePrompts : 2;
  const bool kv_cache = rng.below(4) != 0;
  expect_same_answers(
      [&](ToyRun& run) {
        run.in_flight = in_flight;
        run.kv_cache = kv_cache;
        run.change_deployment = [&](Deployment& deployment) {
          deployment.scheduling = {Policy::kFifo, max_batch, chunk};
        };
        run.faults = [&](SimCluster& sim) {
          for (const auto& [device, when] : kills) sim.kill_at(Seconds(when), device);
        };
      },
      10, what);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Recovery, ::testing::Range(1, 101));

TEST(RecoveryOfARun, SaysWhoWasLostAndWhatItTook) {
  ToyRun run = recovering_run();
  run.requests = 10;
  run.in_flight = 2;
  run.faults = [](SimCluster& sim) { sim.kill_at(Seconds(0.5), "b"); };
  const RunResult result = run();
  ASSERT_EQ(result.recoveries.size(), 1U);
  const auto& recovery = result.recoveries.front();
  EXPECT_THAT(recovery.why, HasSubstr("b was lost while it held segments 1 to 2 (killed)"));
  EXPECT_NEAR(recovery.lost.count(), 0.5, 1e-6);
  EXPECT_GT(recovery.ready, recovery.lost);
  EXPECT_EQ(recovery.requests, 2);
  EXPECT_GT(recovery.weights_bytes, 0);
}

// Its battery is below the floor from some time on.
class Draining : public testing::Decorated {
 public:
  Draining(Device& inner, Seconds until) : Decorated(inner), until_(until) {}
  Telemetry telemetry() override {
    Telemetry telemetry = inner_.telemetry();
    telemetry.battery = now() < until_ ? 0.11 : 0.09;
    return telemetry;
  }

 private:
  const Seconds until_;
};

TEST(RecoveryOfARun, ADeviceThatComesToALimitLeavesWithTheReasonAndNoTokenChanges) {
  ToyRun run = recovering_run();
  run.requests = 10;
  run.in_flight = 2;
  std::string left;
  run.impostors["b"] = [&](Device& device) {
    Draining draining(device, Seconds(0.4));
    WorkerOptions options;
    options.limits = {0.1, {}, Seconds(0.1)};
    try {
      run_worker(draining, options);
    } catch (const HasLeft& reason) {
      left = reason.what();
    }
  };
  const RunResult result = run();
  EXPECT_EQ(left, "it has left: battery at 9 %, floor 10 %");
  ASSERT_EQ(result.recoveries.size(), 1U);
  EXPECT_EQ(result.recoveries.front().why,
            "b was lost while it held segments 1 to 2 (it has left: battery at 9 %, floor 10 %)");
  EXPECT_GE(result.recoveries.front().lost, Seconds(0.4));
  EXPECT_LT(result.recoveries.front().lost, Seconds(0.7));
  testing::ToyTokens tokens;
  for (const Done& answer : result.answers) tokens.push_back(answer.tokens);
  EXPECT_EQ(tokens, tokens_of_a_plain_loop(10));
}

TEST(RecoveryOfARun, EndsWhenNobodyIsLeft) {
  ToyRun run = recovering_run();
  run.requests = 10;
  run.faults = [](SimCluster& sim) {
    for (const DeviceName& device : kDevices) sim.kill_at(Seconds(0.5), device);
  };
  try {
    run();
    FAIL() << "it ended in order";
  } catch (const WorldError& error) {
    EXPECT_THAT(error.what(), HasSubstr("1 devices are needed"));
    EXPECT_THAT(error.what(), HasSubstr("of 10 requests were answered"));
  }
}

// Fails where it is told to.
class FailingExecutor final : public testing::ToyExecutor {
 public:
  explicit FailingExecutor(std::function<bool()> fails) : fails_(std::move(fails)) {}
  using Executor::run;
  std::vector<SegmentResult> run(SegmentId id, const std::vector<SegmentStep>& batch) override {
    if (fails_()) return {SegmentResult{{}, "no memory is left for the step"}};
    return ToyExecutor::run(id, batch);
  }

 private:
  const std::function<bool()> fails_;
};

// A device with an executor of a test's own.
class WithExecutor final : public testing::Decorated {
 public:
  WithExecutor(Device& inner, Executor& executor) : Decorated(inner), executor_(executor) {}
  Executor& executor() override { return executor_; }

 private:
  Executor& executor_;
};

// It begins again before its refusal is known, which is of what is lost.
TEST(RecoveryOfARun, ARequestThatTheHeaderRefusesAsAnotherIsLostBeginsAgain) {
  ToyRun run = recovering_run();
  run.requests = 10;
  SimCluster* cluster = nullptr;
  run.faults = [&](SimCluster& sim) { cluster = &sim; };
  bool has_failed = false;
  run.impostors["a"] = [&](Device& device) {
    FailingExecutor executor([&] {
      if (has_failed || device.now() < Seconds(0.3)) return false;
      cluster->kill_at(device.now(), "c");
      return has_failed = true;
    });
    WithExecutor outer(device, executor);
    run_worker(outer, {});
  };
  EXPECT_EQ(run.tokens(), tokens_of_a_plain_loop(10));
  EXPECT_TRUE(has_failed);
}

// Each device has room for its part of the plan on three and little more.
TEST(RecoveryOfARun, WhatTheOldPlanNeededMakesWay) {
  ToyRun run = recovering_run();
  run.change_model = [](Segmentation& model) {
    for (Segment& segment : model.segments)
      segment.weights.push_back({fmt::format("ballast {}", segment.id), DType::kInt64, {1000}});
  };
  run.memory_bytes = 2 * 8000 + 2000;
  run.requests = 10;
  run.faults = [](SimCluster& sim) { sim.kill_at(Seconds(1), "a"); };
  const RunResult result = run();
  EXPECT_EQ(result.answers.size(), 10U);
  EXPECT_EQ(result.recoveries.size(), 1U);
}

}  // namespace
}  // namespace lingua
