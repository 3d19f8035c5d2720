#include "runtime/schedule/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "runtime/base/random.h"

namespace lingua {
namespace {

using ::testing::ElementsAre;

constexpr double kMuch = 1e9;
constexpr std::size_t kPart = 0;
constexpr Scheduling kFifo{};

// A step of a prompt of `tokens`, or with `cached` tokens a later one.
ReadyStep ready(RequestId request, double since, Step step = {1, 7}, std::int64_t capacity = 50) {
  return {1, request, 0, Seconds(since), kPart, step, capacity, 10};
}

TEST(NextBatch, TakesTheStepThatWaitsLongest) {
  EXPECT_THAT(next_batch({ready(1, 3), ready(2, 1), ready(3, 2)}, kFifo, kMuch), ElementsAre(1));
}

TEST(NextBatch, TakesTheOlderRequestAmongEqualsAlsoBesideAnEpochThatEnds) {
  ReadyStep old = ready(2, 1);
  old.step_index = 9;
  ReadyStep young = ready(4, 1);
  young.epoch = 2;
  EXPECT_THAT(next_batch({young, old}, kFifo, kMuch), ElementsAre(1));
}

TEST(NextBatch, TakesAsManyAsTheLimitAllowsInTheOrderOfThePolicy) {
  const std::vector<ReadyStep> all = {ready(1, 3), ready(2, 1), ready(3, 2), ready(4, 4)};
  EXPECT_THAT(next_batch(all, {Policy::kFifo, 3}, kMuch), ElementsAre(1, 2, 0));
  EXPECT_THAT(next_batch(all, {Policy::kFifo, 9}, kMuch), ElementsAre(1, 2, 0, 3));
}

TEST(NextBatch, NeverMixesEpochsOrPartsOfAStage) {
  ReadyStep other_epoch = ready(2, 2);
  other_epoch.epoch = 2;
  ReadyStep other_part = ready(3, 3);
  other_part.part = 1;
  EXPECT_THAT(
      next_batch({ready(1, 1), other_epoch, other_part, ready(4, 4)}, {Policy::kFifo, 4}, kMuch),
      ElementsAre(0, 3));
}

TEST(NextBatch, LeavesOutWhatFindsNoRoomBesideTheOthers) {
  std::vector<ReadyStep> all = {ready(1, 1), ready(2, 2), ready(3, 3), ready(4, 4)};
  all[1].activation_bytes = 100;
  const Scheduling four{Policy::kFifo, 4};
  EXPECT_THAT(next_batch(all, four, 30), ElementsAre(0, 2, 3));
  EXPECT_THAT(next_batch(all, four, 25), ElementsAre(0, 2));
  EXPECT_THAT(next_batch(all, four, 0), ElementsAre(0)) << "it was admitted alone";
}

TEST(NextBatch, DecodesFirstAndAPromptBehindThem) {
  const std::vector<ReadyStep> all = {ready(1, 1, {64, 0}), ready(2, 2), ready(3, 3, {64, 64}),
                                      ready(4, 4)};
  EXPECT_THAT(next_batch(all, {Policy::kDecodeFirst, 1}, kMuch), ElementsAre(1));
  EXPECT_THAT(next_batch(all, {Policy::kDecodeFirst, 2}, kMuch), ElementsAre(1, 3));
  EXPECT_THAT(next_batch(all, {Policy::kDecodeFirst, 4}, kMuch), ElementsAre(1, 3, 0));
}

TEST(NextBatch, HasOnePromptAtMost) {
  const std::vector<ReadyStep> all = {ready(1, 1), ready(2, 2, {64, 0}), ready(3, 3, {64, 64}),
                                      ready(4, 4)};
  EXPECT_THAT(next_batch(all, {Policy::kFifo, 4}, kMuch), ElementsAre(0, 1, 3));
}

TEST(NextBatch, ShortestFirstIsByTheTokensThatAreLeft) {
  const std::vector<ReadyStep> all = {ready(1, 1, {64, 0}, 80), ready(2, 2, {1, 60}, 90),
                                      ready(3, 3, {1, 60}, 400), ready(4, 4, {1, 10}, 100)};
  EXPECT_THAT(next_batch(all, {Policy::kShortestFirst, 4}, kMuch), ElementsAre(1, 0, 3, 2));
}

TEST(NextBatch, ARequestsStepsRunInTheirOrderUnderEveryPolicy) {
  for (const Policy policy : {Policy::kFifo, Policy::kDecodeFirst, Policy::kShortestFirst}) {
    for (const int most : {1, 3}) {
      Rng rng(7);
      std::vector<ReadyStep> queue;
      for (RequestId request = 0; request < 6; ++request) {
        for (std::int64_t piece = 0; piece < 5; ++piece) {
          ReadyStep step = ready(request, 1, {piece == 4 ? 1 : 8, 8 * piece});
          step.step_index = piece;
          step.ready_since = Seconds(static_cast<double>(piece / 2));
          queue.push_back(step);
        }
      }
      for (std::size_t i = queue.size(); i > 1; --i) std::swap(queue[i - 1], queue[rng.below(i)]);
      std::map<RequestId, std::int64_t> next;
      while (!queue.empty()) {
        std::vector<std::size_t> batch = next_batch(queue, {policy, most}, kMuch);
        std::set<RequestId> requests;
        for (const std::size_t place : batch) {
          EXPECT_TRUE(requests.insert(queue[place].request).second) << "two steps of one request";
          EXPECT_EQ(queue[place].step_index, next[queue[place].request]++);
        }
        std::sort(batch.rbegin(), batch.rend());
        for (const std::size_t place : batch)
          queue.erase(queue.begin() + static_cast<std::ptrdiff_t>(place));
      }
    }
  }
}

TEST(PromptPieces, CoverThePromptInOrderAndAreNoLongerThanTheChunk) {
  for (const std::int64_t chunk : {1, 2, 7, 16, 1000}) {
    for (std::int64_t tokens = 1; tokens < 60; ++tokens) {
      const std::int64_t pieces = prompt_pieces(tokens, {Policy::kFifo, 1, chunk}, 3);
      EXPECT_EQ(pieces, (tokens + chunk - 1) / chunk);
      std::int64_t done = 0;
      for (std::int64_t piece = 0; piece < pieces; ++piece) {
        const Step step = prompt_piece(tokens, pieces, piece);
        EXPECT_EQ(step.cached_tokens, done);
        EXPECT_GE(step.new_tokens, 1);
        EXPECT_LE(step.new_tokens, chunk);
        done += step.new_tokens;
      }
      EXPECT_EQ(done, tokens);
    }
  }
  EXPECT_EQ(prompt_pieces(1000, kFifo, 4), 1);
}

TEST(PromptPieces, AutoMakesTwoForEachStageOfNoFewerThanTheFewestTokens) {
  const Scheduling automatic{Policy::kFifo, 1, kAutoChunk};
  EXPECT_EQ(prompt_pieces(1000, automatic, 1), 1) << "there is no pipeline to fill";
  EXPECT_EQ(prompt_pieces(1000, automatic, 4), 8);
  EXPECT_EQ(prompt_pieces(100, automatic, 4), 3);
  EXPECT_EQ(prompt_pieces(10, automatic, 4), 1);
}

TEST(WithBatches, AutoSharesTheRequestsInFlightAmongTheStages) {
  const Scheduling automatic{Policy::kFifo, kAutoBatch, 64};
  EXPECT_EQ(with_batches(automatic, 8, 2), (Scheduling{Policy::kFifo, 4, 64}));
  EXPECT_EQ(with_batches(automatic, 8, 3).max_batch, 3);
  EXPECT_EQ(with_batches(automatic, 2, 5).max_batch, 1);
  EXPECT_EQ(with_batches({Policy::kFifo, 7}, 8, 2).max_batch, 7);
}

TEST(AllowedBy, LeavesOutWhatTheModelDoesNotPromise) {
  const Scheduling all{Policy::kDecodeFirst, 8, 64};
  EXPECT_EQ(allowed_by({true, true}, all), all);
  EXPECT_EQ(allowed_by({true, false}, all), (Scheduling{Policy::kDecodeFirst, 8}));
  EXPECT_EQ(allowed_by({false, false}, all), (Scheduling{Policy::kDecodeFirst, 1}));
}

TEST(Admissions, KeepsTheLimit) {
  EXPECT_EQ(admissions(10, 0, 4), 4);
  EXPECT_EQ(admissions(10, 3, 4), 1);
  EXPECT_EQ(admissions(2, 0, 4), 2);
  EXPECT_EQ(admissions(5, 4, 4), 0);
  EXPECT_EQ(admissions(5, 6, 4), 0);
}

}  // namespace
}  // namespace lingua
