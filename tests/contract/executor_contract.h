#pragma once
// What every implementation of Executor promises, as tests.
//
// A world gives an executor, and the program of the contract's segment where numerics are done;
// then
//   INSTANTIATE_TEST_SUITE_P(Shapes, ExecutorContract, ::testing::Values(&shape_world));
// The numerics are checked against a plain reference where outputs have data.

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>
#include <vector>

#include "tests/contract/executor_world.h"

namespace lingua::testing {

TEST_P(ExecutorContract, GivesOutputsOfTheShapeThatTheStepAsksFor) {
  GetParam()->run([](Executor& executor) {
    load(executor, 0);
    Sums sums{};
    step(executor, 0, 1, {5, 0}, sums);
    step(executor, 0, 1, {1, 5}, sums);
    step(executor, 0, 1, {2, 6}, sums);  // fills the capacity
  });
}

TEST_P(ExecutorContract, RunsStepsOfSeveralRequestsAsOneWithTheResultsOfEachAlone) {
  GetParam()->run([](Executor& executor) {
    load(executor, 0);
    using Round = std::vector<Step>;
    for (const Round& round : {Round{{2, 0}, {1, 0}, {4, 0}}, {{1, 2}, {3, 1}, {1, 4}}}) {
      std::vector<SegmentStep> batch;
      for (const Step& step : round) {
        const auto request = static_cast<RequestId>(batch.size());
        std::vector<float> values(static_cast<std::size_t>(step.new_tokens * kWidth));
        std::iota(values.begin(), values.end(), static_cast<float>(100 * request));
        batch.push_back({{request, step, kRows}, {floats(values, {step.new_tokens, kWidth})}});
      }
      const std::vector<SegmentResult> together = executor.run(0, batch);
      for (std::size_t r = 0; r < round.size(); ++r) {
        const StepContext other{100 + batch[r].context.request, round[r], kRows};
        const Tensor alone = executor.run(0, other, batch[r].inputs).at(0);
        const Tensor joint = together.at(r).outputs.at(0);
        ASSERT_TRUE(joint.shape == alone.shape && joint.has_data() == alone.has_data());
        if (!alone.has_data()) continue;
        const auto bytes = static_cast<std::size_t>(alone.bytes());
        EXPECT_EQ(std::memcmp(joint.data.get(), alone.data.get(), bytes), 0) << "request " << r;
      }
    }
  });
}

TEST_P(ExecutorContract, KeepsTheStatesOfRequestsApart) {
  GetParam()->run([](Executor& executor) {
    load(executor, 0);
    Sums one{}, two{};
    step(executor, 0, 1, {3, 0}, one);
    step(executor, 0, 2, {2, 0}, two);
    step(executor, 0, 1, {1, 3}, one);
    step(executor, 0, 2, {1, 2}, two);
  });
}

TEST_P(ExecutorContract, KeepsTheStatesOfSegmentsApart) {
  GetParam()->run([](Executor& executor) {
    load(executor, 0);
    load(executor, 1);
    Sums zero{}, one{};
    step(executor, 0, 1, {3, 0}, zero);
    step(executor, 1, 1, {2, 0}, one);
    step(executor, 0, 1, {1, 3}, zero);
    step(executor, 1, 1, {1, 2}, one);
  });
}

TEST_P(ExecutorContract, BeginsWithZeroStateAfterRelease) {
  GetParam()->run([](Executor& executor) {
    load(executor, 0);
    Sums before{};
    step(executor, 0, 1, {4, 0}, before);
    executor.release(1);
    Sums after{};
    step(executor, 0, 1, {1, 2}, after);  // rows 0 and 1 are zero again
  });
}

TEST_P(ExecutorContract, ReleaseLeavesOtherRequestsAlone) {
  GetParam()->run([](Executor& executor) {
    load(executor, 0);
    Sums one{}, two{};
    step(executor, 0, 1, {3, 0}, one);
    step(executor, 0, 2, {3, 0}, two);
    executor.release(1);
    step(executor, 0, 2, {1, 3}, two);
  });
}

TEST_P(ExecutorContract, ReleasesTheStatesOfOneSegmentAlone) {
  GetParam()->run([](Executor& executor) {
    load(executor, 0);
    load(executor, 1);
    Sums zero{}, one{};
    step(executor, 0, 1, {3, 0}, zero);
    step(executor, 1, 1, {3, 0}, one);
    executor.release(1, 0);
    executor.release(2, 0);
    executor.release(1, 17);
    zero = {};
    step(executor, 0, 1, {1, 2}, zero);
    step(executor, 1, 1, {1, 3}, one);
  });
}

// Token by token or many at once, they are the same.
TEST_P(ExecutorContract, ARequestGoesOnWithTheStatesThatWereReadElsewhere) {
  GetParam()->run([](Executor& executor) {
    load(executor, 0);
    Sums sums{};
    step(executor, 0, 1, {3, 0}, sums);
    step(executor, 0, 1, {1, 3}, sums);
    const std::vector<Tensor> first = executor.read_states(0, 1, 0, 1);
    const std::vector<Tensor> rest = executor.read_states(0, 1, 1, 4);
    executor.release(1);
    ASSERT_EQ(rest.size(), 1U);
    EXPECT_EQ(rest[0].dtype, DType::kFloat32);
    EXPECT_EQ(rest[0].shape, (std::vector<std::int64_t>{3, kWidth}));
    EXPECT_EQ(rest[0].has_data(), !GetParam()->program().empty());
    executor.write_states(0, 2, kRows, 1, rest);
    executor.write_states(0, 2, kRows, 0, first);
    step(executor, 0, 2, {1, 4}, sums);
  });
}

TEST_P(ExecutorContract, ForgetsTheStatesOfASegmentThatIsUnloaded) {
  GetParam()->run([](Executor& executor) {
    load(executor, 0);
    load(executor, 1);
    Sums lost{}, kept{};
    step(executor, 0, 1, {3, 0}, lost);
    step(executor, 1, 1, {3, 0}, kept);
    executor.unload(0);
    load(executor, 0);
    lost = {};
    step(executor, 0, 1, {1, 2}, lost);
    step(executor, 1, 1, {1, 3}, kept);
  });
}

TEST_P(ExecutorContract, RefusesToRunASegmentThatIsNotLoaded) {
  GetParam()->run([](Executor& executor) {
    load(executor, 0);
    executor.unload(0);
    const std::vector<float> row(kWidth);
    EXPECT_ANY_THROW(executor.run(0, {1, {1, 0}, kRows}, {floats(row, {1, kWidth})}));
  });
}

TEST_P(ExecutorContract, DoesWhatMeasuresItAndSaysHowMuchThatWas) {
  GetParam()->run([](Executor& executor) {
    load(executor, 0);
    for (const ExertionKind kind : {ExertionKind::kProducts, ExertionKind::kWeights,
                                    ExertionKind::kSegments, ExertionKind::kMemory}) {
      const Exertion exertion{kind, DType::kFloat32, 2};
      const Work done = executor.exert(exertion);
      EXPECT_EQ(done.flops, work_of(exertion).flops);
      EXPECT_EQ(done.bytes, work_of(exertion).bytes);
    }
    Sums sums{};
    step(executor, 0, 1, {2, 0}, sums);  // its segments are as they were
  });
}

TEST_P(ExecutorContract, IgnoresIdsThatItDoesNotKnow) {
  GetParam()->run([](Executor& executor) {
    executor.unload(17);
    executor.release(17);
    load(executor, 0);
    executor.compute_with({1});
    executor.release(17);
    Sums sums{};
    step(executor, 0, 1, {2, 0}, sums);
  });
}

TEST_P(ExecutorContract, LoadingAgainReplacesASegment) {
  GetParam()->run([](Executor& executor) {
    load(executor, 0);
    load(executor, 0);
    Sums sums{};
    step(executor, 0, 1, {2, 0}, sums);
    executor.unload(0);
    const std::vector<float> row(kWidth);
    EXPECT_ANY_THROW(executor.run(0, {1, {1, 0}, kRows}, {floats(row, {1, kWidth})}));
  });
}

}  // namespace lingua::testing
