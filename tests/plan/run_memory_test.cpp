#include "runtime/plan/run_memory.h"

#include <gtest/gtest.h>

#include "tests/plan/hand_model.h"

namespace lingua {
namespace {

using testing::hand_model;
using testing::hand_workload;

TEST(RunMemory, CountsATiedWeightOnceOnOneDevice) {
  const Segmentation model = hand_model();
  const Workload workload = hand_workload();
  const double whole = run_memory_bytes(model, 0, 2, workload);
  // 6,000 fp32 weights of their own and 5,000 shared ones; three states; the largest activations are
  // those of segment 0: 2 x (8 + 1000 + 500) x 10.
  EXPECT_EQ(whole, 4 * (6'000 + 5'000) + 3 * 4'800 + 30'160);
}

TEST(RunMemory, HasRoomForTheActivationsOfAPieceOfThePromptWhereThatIsStated) {
  Workload workload = hand_workload();
  workload.prompt_tokens = 100;
  Segment segment = hand_model().segments[0];
  const auto activations = [&](std::int64_t chunk) {
    workload.scheduling.chunk = chunk;
    RunMemory memory(workload);
    memory.run(segment);
    return memory.activation_bytes();
  };
  EXPECT_EQ(activations(kWholePrompts), segment.activation_bytes({100, 0}));
  EXPECT_EQ(activations(8), segment.activation_bytes({8, 92}));
  EXPECT_EQ(activations(kAutoChunk), activations(kWholePrompts)) << "the plan decides";
  EXPECT_EQ(activations(500), activations(kWholePrompts));
}

// Four in flight of 30, 10, 10: of 12 requests four have 30; of 5 two have.
TEST(RunMemory, HasRoomForTheLongestThatCanBeInFlightTogether) {
  Workload workload = hand_workload();
  workload.prompt_tokens = 30;
  workload.prompt_lengths = {30, 10, 10};
  workload.in_flight = 4;
  workload.requests = 12;
  Segment segment = hand_model().segments[0];
  const auto state = [&](std::int64_t prompt) {
    return segment.state_bytes(prompt + workload.max_tokens);
  };
  RunMemory all(workload);
  all.run(segment);
  EXPECT_NEAR(all.state_bytes(), 4 * state(30), 1e-9);
  workload.requests = 5;
  RunMemory few(workload);
  few.run(segment);
  EXPECT_NEAR(few.state_bytes(), 2 * state(30) + 2 * state(10), 1e-9);
}

}  // namespace
}  // namespace lingua
