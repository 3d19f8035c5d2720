#include "runtime/engine/memory_ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "runtime/engine/refusal.h"

namespace lingua {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr Epoch kEpoch = 1;

// 4 bytes x 2 heads x 8 x the capacity, twice: 128 bytes a token.
Segment segment(SegmentId id = 0) {
  Segment segment;
  segment.id = id;
  segment.state = {{0, "k", DType::kFloat32, {2, kCapacity, 8}},
                   {1, "v", DType::kFloat32, {2, kCapacity, 8}}};
  return segment;
}

MemoryLedger ledger(double memory_bytes) {
  const Segment running = segment();
  MemoryLedger ledger(memory_bytes);
  ledger.open(kEpoch, {&running});
  return ledger;
}

TEST(MemoryLedger, CountsEachRequestOnceUntilItIsReleased) {
  MemoryLedger held = ledger(4000);
  held.admit(kEpoch, 1, {5, 0}, 10);
  held.admit(kEpoch, 1, {1, 5}, 10);
  EXPECT_EQ(held.states_bytes(), 1280);
  held.admit(kEpoch, 2, {20, 0}, 20);
  EXPECT_EQ(held.states_bytes(), 3840);
  held.release(1);
  held.release(7);
  EXPECT_EQ(held.states_bytes(), 2560);
  EXPECT_EQ(held.free_bytes(), 1440);
}

TEST(MemoryLedger, RefusesWhatTheDeviceHasNoMemoryForWithWhatIsLeft) {
  MemoryLedger held = ledger(4000);
  held.admit(kEpoch, 1, {5, 0}, 10);
  try {
    held.admit(kEpoch, 2, {5, 0}, 22);
    ADD_FAILURE() << "it found room that is not there";
  } catch (const RequestRefused& refused) {
    EXPECT_EQ(refused.request(), 2);
    EXPECT_THAT(refused.what(), AllOf(HasSubstr("22 tokens"), HasSubstr("2.72 kB of the device")));
  }
  EXPECT_NO_THROW(held.admit(kEpoch, 2, {5, 0}, 21));
}

TEST(MemoryLedger, WeightsAndStatesStandInOneAccount) {
  MemoryLedger held = ledger(4000);
  held.hold_weights(1000);
  held.admit(kEpoch, 1, {5, 0}, 20);
  EXPECT_EQ(held.free_bytes(), 440);
  EXPECT_THROW(held.admit(kEpoch, 2, {1, 0}, 4), RequestRefused);
  EXPECT_THAT([&] { held.hold_weights(1441); },
              ThrowsMessage<WorldError>(AllOf(HasSubstr("weights of 1.441 kB do not fit"),
                                              HasSubstr("1.440 kB"),
                                              HasSubstr("beside 2.56 kB for requests"))));
  EXPECT_EQ(held.free_bytes(), 440) << "what was held counts on";
  held.hold_weights(1440);
  held.release(1);
  held.hold_weights(4000);
  EXPECT_THAT([&] { held.hold_weights(4001); },
              ThrowsMessage<WorldError>(HasSubstr("do not fit the memory of 4.000 kB")));
}

TEST(MemoryLedger, StatesOfAnEpochEndWithIt) {
  MemoryLedger held = ledger(4000);
  const Segment twice[] = {segment(1), segment(2)};
  held.open(2, {&twice[0], &twice[1]});
  held.admit(kEpoch, 1, {5, 0}, 10);
  held.admit(2, 2, {5, 0}, 10);
  EXPECT_EQ(held.states_bytes(), 1280 + 2560);
  held.close(kEpoch);
  EXPECT_EQ(held.states_bytes(), 2560);
  held.admit(2, 3, {5, 0}, 5);
  EXPECT_EQ(held.states_bytes(), 3840);
}

// Epoch 1 runs segments 0 and 1 here, epoch 2 has 1 and 2.
class MemoryLedgerOfTwoEpochs : public ::testing::Test {
 protected:
  MemoryLedgerOfTwoEpochs() {
    const Segment segments[] = {segment(0), segment(1), segment(2)};
    held_.open(1, {&segments[0], &segments[1]});
    held_.open(2, {&segments[1], &segments[2]});
    held_.admit(1, 7, {5, 0}, 10);
  }

  static constexpr double kStates = 1280;  // of a segment
  MemoryLedger held_{4000};
};

TEST_F(MemoryLedgerOfTwoEpochs, ARequestThatCrossesKeepsWhatBothRun) {
  held_.share(7, 2);
  EXPECT_EQ(held_.states_bytes(), 2 * kStates) << "nothing new is held";
  EXPECT_THAT(held_.requests_of(2), ElementsAre(7));
  held_.hold_states(2, 7, 2, 10);
  held_.hold_states(2, 7, 2, 10);
  EXPECT_EQ(held_.states_bytes(), 3 * kStates);
  EXPECT_THAT(held_.leave(7, 1), ElementsAre(0));
  EXPECT_THAT(held_.leave(7, 1), ElementsAre());
  EXPECT_EQ(held_.states_bytes_of(7), 2 * kStates);
  held_.end_step(2, held_.admit(2, 7, {1, 5}, 10));
  EXPECT_EQ(held_.states_bytes(), 2 * kStates);
  held_.close(2);
  EXPECT_EQ(held_.states_bytes(), 0);
}

TEST_F(MemoryLedgerOfTwoEpochs, WhatCameForAnEpochThatCameToNothingGoes) {
  held_.hold_states(2, 7, 2, 10);
  EXPECT_THAT(held_.leave(7, 2), ElementsAre(2));
  EXPECT_EQ(held_.states_bytes_of(7), 2 * kStates);
  EXPECT_THAT(held_.requests_of(1), ElementsAre(7));
}

TEST_F(MemoryLedgerOfTwoEpochs, AStepAfterTokensWhoseStatesAreNotHereIsRefused) {
  EXPECT_THAT(
      [&] {
        held_.admit(2, 7, {1, 5}, 10);
      },
      ThrowsMessage<WorldError>(HasSubstr("after 5 tokens whose states are not here")));
  EXPECT_NO_THROW(held_.admit(2, 7, {6, 0}, 10)) << "which computes them again";
}

TEST_F(MemoryLedgerOfTwoEpochs, StatesFromElsewhereFindRoomOrAreRefused) {
  EXPECT_THROW(held_.hold_states(2, 8, 2, 12), RequestRefused);
  EXPECT_THROW(held_.hold_states(2, 7, 2, 11), RequestRefused) << "it had 10 before";
  EXPECT_THROW(held_.hold_states(2, 7, 0, 10), WorldError) << "epoch 2 does not run it";
  EXPECT_EQ(held_.states_bytes(), 2 * kStates);
}

// 100 bytes in, none out, and inside 8 for each pair of a new and any token.
TEST(MemoryLedger, FindsRoomForTheActivationsOfEachStepBesideAllStates) {
  Segment running;
  running.state = {{0, "k", DType::kFloat32, {32, kCapacity}}};  // 128 bytes a token
  running.inputs = {{1, "x", DType::kFloat32, true, {}, StepFunction(100.0)}};
  running.inner_bytes = {StepFunction({0, 0, 0, 8, 8, 0}), StepFunction(50.0)};
  EXPECT_EQ(running.activation_bytes({1, 1}), 250);
  EXPECT_EQ(running.activation_bytes({10, 0}), 1000);
  MemoryLedger held(2 * 12 * 128 + 999);
  held.open(kEpoch, {&running});
  const auto run = [&](RequestId request, const Step& step) {
    held.end_step(kEpoch, held.admit(kEpoch, request, step, 12));
  };
  EXPECT_NO_THROW(run(1, {10, 0}));
  EXPECT_THAT(
      [&] {
        held.admit(kEpoch, 2, {10, 0}, 12);
      },
      ThrowsMessage<WorldError>(AllOf(HasSubstr("a step of 10 tokens after 0 takes "),
                                      HasSubstr("1.00 kB of activations"), HasSubstr("999 B"))));
  EXPECT_EQ(held.states_bytes(), 12 * 128) << "who is refused holds nothing";
  EXPECT_NO_THROW(run(2, {9, 0}));
  EXPECT_NO_THROW(run(1, {1, 10}));
  EXPECT_THROW(held.admit(kEpoch, 3, {10, 0}, 0), RequestRefused) << "a single pass";
}

// 128 bytes of states a token; 100 bytes of activations for each new token.
TEST(MemoryLedger, WhatComesLaterLeavesRoomForStepsThatWait) {
  Segment running;
  running.state = {{0, "k", DType::kFloat32, {32, kCapacity}}};
  running.inputs = {{1, "x", DType::kFloat32, true, {}, StepFunction({0, 50, 0, 0, 0, 0})}};
  MemoryLedger held(10 * 128 + 1000 + 400);
  held.open(kEpoch, {&running});
  const double prompt = held.admit(kEpoch, 1, {10, 0}, 10);
  ASSERT_EQ(prompt, 1000);
  EXPECT_THAT(
      [&] {
        held.admit(kEpoch, 2, {1, 0}, 4);
      },
      ThrowsMessage<WorldError>(AllOf(HasSubstr("512 B; 400 B of the device's memory"),
                                      HasSubstr("beside 2.28 kB for other requests"))));
  EXPECT_THAT([&] { held.hold_weights(401); },
              ThrowsMessage<WorldError>(HasSubstr("400 B of the memory are left beside 2.28 kB")));
  const double small = held.admit(kEpoch, 2, {1, 0}, 3);
  held.release(2);
  held.end_step(kEpoch, small);
  EXPECT_THROW(held.admit(kEpoch, 2, {1, 0}, 4), RequestRefused) << "the prompt still waits";
  held.end_step(kEpoch, prompt);
  EXPECT_NO_THROW(held.admit(kEpoch, 2, {1, 0}, 4));
}

TEST(MemoryLedger, StepsOfAnEpochEndWithIt) {
  Segment running;
  running.inputs = {{1, "x", DType::kFloat32, true, {}, StepFunction(50.0)}};
  MemoryLedger held(150);
  held.open(kEpoch, {&running});
  held.admit(kEpoch, 1, {1, 0}, 0);
  EXPECT_THROW(held.hold_weights(51), WorldError);
  held.close(kEpoch);
  EXPECT_NO_THROW(held.hold_weights(150));
}

TEST(MemoryLedger, RefusesAbsurdCapacitiesWithoutOverflow) {
  for (const std::int64_t capacity :
       {std::int64_t{1} << 40, std::numeric_limits<std::int64_t>::max(),
        std::numeric_limits<std::int64_t>::min()}) {
    MemoryLedger held = ledger(1e12);
    EXPECT_THROW(held.admit(kEpoch, 1, {5, 0}, capacity), RequestRefused) << capacity;
    EXPECT_EQ(held.states_bytes(), 0);
  }
}

TEST(MemoryLedger, RefusesStepsBeyondTheCapacityAndCapacitiesThatChange) {
  MemoryLedger held = ledger(1e6);
  held.admit(kEpoch, 1, {5, 0}, 10);
  held.admit(kEpoch, 1, {1, 9}, 10);
  for (const Step& step : {Step{1, 10}, Step{11, 0}, Step{0, 3}, Step{1, -1},
                           Step{std::numeric_limits<std::int64_t>::max(), 9}}) {
    EXPECT_THROW(held.admit(kEpoch, 1, step, 10), RequestRefused) << step.new_tokens;
  }
  EXPECT_THAT(
      [&] {
        held.admit(kEpoch, 1, {1, 6}, 11);
      },
      ThrowsMessage<WorldError>(HasSubstr("had 10 before")));
  EXPECT_THROW(held.admit(kEpoch, 2, {0, 0}, 0), RequestRefused) << "a single pass of nothing";
}

TEST(MemoryLedger, LeavesModelsWithoutStatesAlone) {
  MemoryLedger none(0);
  none.open(kEpoch, {});
  EXPECT_NO_THROW(none.admit(kEpoch, 1, {5, 0}, 0));
  EXPECT_EQ(none.states_bytes(), 0);
  MemoryLedger held = ledger(0);
  EXPECT_NO_THROW(held.admit(kEpoch, 1, {5, 0}, 0)) << "a single pass";
}

}  // namespace
}  // namespace lingua
