#include "runtime/engine/weight_giver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/toy_model.h"

namespace lingua {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A store that holds "w" of 30 bytes and "v" of 10.
class WeightGiverTest : public ::testing::Test {
 protected:
  WeightGiverTest() {
    for (const WeightSpec& spec :
         {WeightSpec{"w", DType::kUInt8, {30}}, WeightSpec{"v", DType::kUInt8, {10}}}) {
      auto memory = allocate_bytes(spec.bytes());
      source_.read(spec, 0, spec.bytes(), memory.get());
      store_.expect(spec);
      store_.hold(spec.name, std::move(memory));
    }
  }

  static SendWeights order(std::vector<std::string> weights, double bytes_per_s = 0,
                           const DeviceName& to = "b") {
    return {2, to, std::move(weights), 10, 1, bytes_per_s};
  }

  // "w 0" of all pieces that were sent since the last call.
  std::vector<std::string> sent() {
    std::vector<std::string> pieces;
    for (const Letter& letter : effects_.letters) {
      const auto& chunk = std::get<WeightChunk>(letter.body);
      EXPECT_EQ(chunk.epoch, 2);
      pieces.push_back(fmt::format("{} {} {}", letter.to, chunk.weight, chunk.offset));
      pieces_.push_back(chunk);
    }
    effects_.letters.clear();
    return pieces;
  }
  void answer(const std::string& weight, std::int64_t offset, const DeviceName& from = "b") {
    giver_.take(WeightAck{2, weight, offset}, from, now_, effects_);
  }

  testing::ToySource source_;
  WeightStore store_;
  WeightGiver giver_{store_};
  Effects effects_;
  Seconds now_{0};
  std::vector<WeightChunk> pieces_;
};

// What was sent is taken by another store, which checks it.
TEST_F(WeightGiverTest, GivesWhatItHoldsAndTheOtherHasTheSame) {
  giver_.take(order({"w", "unknown", "v"}), now_, effects_);
  EXPECT_THAT(sent(), ElementsAre("b w 0"));
  answer("w", 0);
  answer("w", 10);
  EXPECT_THAT(sent(), ElementsAre("b w 10", "b w 20"));
  answer("w", 20);
  answer("v", 0);
  EXPECT_THAT(sent(), ElementsAre("b v 0"));
  EXPECT_EQ(giver_.next(), kNever);
  WeightStore other;
  const WeightSpec spec{"w", DType::kUInt8, {30}};
  other.expect(spec, source_.digest(spec));
  for (const WeightChunk& piece : pieces_) {
    if (piece.weight == "w") other.receive(piece, "a");
  }
  EXPECT_TRUE(other.complete("w"));
}

TEST_F(WeightGiverTest, GoesOnWhenItsRateAllowsIt) {
  giver_.take(order({"w"}, 5), now_, effects_);
  EXPECT_THAT(sent(), ElementsAre("b w 0"));
  answer("w", 0);
  EXPECT_THAT(sent(), IsEmpty());
  EXPECT_EQ(giver_.next(), Seconds(2));
  now_ = Seconds(2);
  giver_.go_on(now_, effects_);
  EXPECT_THAT(sent(), ElementsAre("b w 10"));
}

TEST_F(WeightGiverTest, GivesNoMoreWhenItIsToldOrTheOtherIsLostOrTheEpochIsOver) {
  const std::vector<std::function<void()>> ends = {
      [&] { giver_.take(order({}), now_, effects_); },
      [&] { giver_.lose("b"); },
      [&] { giver_.end(2); },
      [&] { giver_.end(); },
  };
  for (const auto& end : ends) {
    giver_.take(order({"w"}), now_, effects_);
    EXPECT_THAT(sent(), ElementsAre("b w 0"));
    end();
    answer("w", 0);
    EXPECT_THAT(sent(), IsEmpty());
  }
  giver_.take(order({"w"}), now_, effects_);
  sent();
  giver_.end(1);
  giver_.lose("c");
  answer("w", 0);
  EXPECT_THAT(sent(), ElementsAre("b w 10")) << "that was another";
}

TEST_F(WeightGiverTest, WhatHasLeftTheStoreIsNotSent) {
  giver_.take(order({"w", "v"}), now_, effects_);
  sent();
  store_.keep_only({"v"});
  giver_.look_at_store();
  answer("w", 0);
  EXPECT_THAT(sent(), ElementsAre("b v 0"));
}

TEST_F(WeightGiverTest, AnswersThatDoNotFitAreNone) {
  giver_.take(order({"w"}), now_, effects_);
  sent();
  answer("w", 10);
  answer("w", 0, "c");
  EXPECT_THAT(sent(), IsEmpty());
}

}  // namespace
}  // namespace lingua
