#include "runtime/engine/state_ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "runtime/base/errors.h"

namespace lingua {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

// 4 bytes x 2 heads x 8 x the capacity, twice: 128 bytes a token.
StateLedger ledger() {
  static const Segment segment = [] {
    Segment s;
    s.state = {{0, "k", DType::kFloat32, {2, kCapacity, 8}},
               {1, "v", DType::kFloat32, {2, kCapacity, 8}}};
    return s;
  }();
  StateLedger ledger;
  ledger.reset({&segment});
  return ledger;
}

TEST(StateLedger, CountsEachRequestOnceUntilItIsReleased) {
  StateLedger held = ledger();
  held.admit(1, {5, 0}, 10, 4000);
  held.admit(1, {1, 5}, 10, 4000);
  EXPECT_EQ(held.bytes(), 1280);
  held.admit(2, {20, 0}, 20, 4000);
  EXPECT_EQ(held.bytes(), 3840);
  held.release(1);
  held.release(7);
  EXPECT_EQ(held.bytes(), 2560);
}

TEST(StateLedger, RefusesWhatTheDeviceHasNoMemoryForWithWhatIsLeft) {
  StateLedger held = ledger();
  held.admit(1, {5, 0}, 10, 4000);
  EXPECT_THAT(
      [&] {
        held.admit(2, {5, 0}, 22, 4000);
      },
      ThrowsMessage<WorldError>(AllOf(HasSubstr("request 2"), HasSubstr("22 tokens"),
                                      HasSubstr("2.72 kB of the device"))));
  EXPECT_NO_THROW(held.admit(2, {5, 0}, 21, 4000));
}

// 100 bytes in, none out, and inside 8 for each pair of a new and any token.
TEST(StateLedger, FindsRoomForTheActivationsOfEachStepBesideAllStates) {
  Segment segment;
  segment.state = {{0, "k", DType::kFloat32, {32, kCapacity}}};  // 128 bytes a token
  segment.inputs = {{1, "x", DType::kFloat32, true, {}, StepFunction(100.0)}};
  segment.inner_bytes = {StepFunction({0, 0, 0, 8, 8, 0}), StepFunction(50.0)};
  EXPECT_EQ(segment.activation_bytes({1, 1}), 250);
  EXPECT_EQ(segment.activation_bytes({10, 0}), 1000);
  StateLedger held;
  held.reset({&segment});
  EXPECT_NO_THROW(held.admit(1, {10, 0}, 12, 12 * 128 + 1000));
  EXPECT_THAT(
      [&] {
        held.admit(2, {10, 0}, 12, 2 * 12 * 128 + 999);
      },
      ThrowsMessage<WorldError>(AllOf(HasSubstr("request 2: a step of 10 tokens after 0 takes "),
                                      HasSubstr("1.00 kB of activations"), HasSubstr("999 B"))));
  EXPECT_EQ(held.bytes(), 12 * 128) << "who is refused holds nothing";
  EXPECT_NO_THROW(held.admit(2, {9, 0}, 12, 2 * 12 * 128 + 999));
  EXPECT_NO_THROW(held.admit(1, {1, 10}, 12, 2 * 12 * 128 + 999));
  EXPECT_THROW(held.admit(3, {10, 0}, 0, 2 * 12 * 128 + 999), WorldError) << "a single pass";
}

TEST(StateLedger, RefusesAbsurdCapacitiesWithoutOverflow) {
  for (const std::int64_t capacity :
       {std::int64_t{1} << 40, std::numeric_limits<std::int64_t>::max(),
        std::numeric_limits<std::int64_t>::min()}) {
    StateLedger held = ledger();
    EXPECT_THROW(held.admit(1, {5, 0}, capacity, 1e12), WorldError) << capacity;
    EXPECT_EQ(held.bytes(), 0);
  }
}

TEST(StateLedger, RefusesStepsBeyondTheCapacityAndCapacitiesThatChange) {
  StateLedger held = ledger();
  held.admit(1, {5, 0}, 10, 1e6);
  held.admit(1, {1, 9}, 10, 1e6);
  for (const Step& step : {Step{1, 10}, Step{11, 0}, Step{0, 3}, Step{1, -1},
                           Step{std::numeric_limits<std::int64_t>::max(), 9}}) {
    EXPECT_THROW(held.admit(1, step, 10, 1e6), WorldError) << step.new_tokens;
  }
  EXPECT_THAT(
      [&] {
        held.admit(1, {1, 6}, 11, 1e6);
      },
      ThrowsMessage<WorldError>(HasSubstr("had 10 before")));
  EXPECT_THROW(held.admit(2, {0, 0}, 0, 1e6), WorldError) << "a single pass of nothing";
}

TEST(StateLedger, LeavesModelsWithoutStatesAlone) {
  StateLedger none;
  none.reset({});
  EXPECT_NO_THROW(none.admit(1, {5, 0}, 0, 0));
  EXPECT_EQ(none.bytes(), 0);
  StateLedger held = ledger();
  EXPECT_NO_THROW(held.admit(1, {5, 0}, 0, 0)) << "a single pass";
}

}  // namespace
}  // namespace lingua
