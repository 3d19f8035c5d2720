#include "runtime/engine/shared_frames.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lingua {
namespace {

using ::testing::ElementsAre;

Activations activations(RequestId request, std::int64_t width = 64, Epoch epoch = 1) {
  return {epoch, request, 3, {1, 11}, 27, {4}, {{DType::kFloat32, {1, width}, nullptr}}, {}, {}};
}

StepResult result(RequestId request) { return {1, request, 3, 17, {}}; }

std::vector<RequestId> requests(const MessageBody& body) {
  if (const auto* one = std::get_if<Activations>(&body)) return {one->request};
  if (const auto* one = std::get_if<StepResult>(&body)) return {one->request};
  std::vector<RequestId> ids;
  if (const auto* together = std::get_if<Together>(&body)) {
    for (const Activations& each : together->activations) ids.push_back(each.request);
    for (const StepResult& each : together->results) ids.push_back(each.request);
  }
  return ids;
}

TEST(SharedFrames, SmallMessagesToOneDeviceTravelAsOneInTheirOrder) {
  std::vector<Letter> letters = {{"b", activations(1)},
                                 {"c", activations(1)},
                                 {"b", activations(2)},
                                 {"c", activations(2)},
                                 {"b", activations(3)}};
  share_frames(letters);
  ASSERT_EQ(letters.size(), 2U);
  EXPECT_EQ(letters[0].to, "b");
  EXPECT_THAT(requests(letters[0].body), ElementsAre(1, 2, 3));
  EXPECT_EQ(letters[1].to, "c");
  EXPECT_THAT(requests(letters[1].body), ElementsAre(1, 2));
}

TEST(SharedFrames, AMessageAloneStaysWhatItIs) {
  std::vector<Letter> letters = {{"b", activations(1)}, {kCoordinator, TokenMade{1, 2, 3}}};
  share_frames(letters);
  ASSERT_EQ(letters.size(), 2U);
  EXPECT_TRUE(std::holds_alternative<Activations>(letters[0].body));
  EXPECT_TRUE(std::holds_alternative<TokenMade>(letters[1].body));
}

TEST(SharedFrames, ALargeOneTravelsAloneAndNothingOvertakesIt) {
  const std::int64_t large = static_cast<std::int64_t>(kMostSharedBytes) / 4 + 1;
  std::vector<Letter> letters = {{"b", activations(1)},
                                 {"b", activations(2)},
                                 {"b", activations(3, large)},
                                 {"b", activations(4)},
                                 {"b", activations(5)}};
  share_frames(letters);
  ASSERT_EQ(letters.size(), 3U);
  EXPECT_THAT(requests(letters[0].body), ElementsAre(1, 2));
  EXPECT_THAT(requests(letters[1].body), ElementsAre(3));
  EXPECT_THAT(requests(letters[2].body), ElementsAre(4, 5));
  letters = {{"b", activations(1, large - 1)}, {"b", activations(2)}};
  share_frames(letters);
  EXPECT_EQ(letters.size(), 1U) << "up to the limit";
}

TEST(SharedFrames, APromptsTokensForAPenaltyTravelAlone) {
  Activations prompt = activations(1);
  prompt.recent = {4, 5};
  std::vector<Letter> letters = {{"b", prompt}, {"b", activations(2)}, {"b", activations(3)}};
  share_frames(letters);
  ASSERT_EQ(letters.size(), 2U);
  EXPECT_THAT(requests(letters[0].body), ElementsAre(1));
  EXPECT_THAT(requests(letters[1].body), ElementsAre(2, 3));
}

TEST(SharedFrames, ResultsShareAndEpochsDoNotMix) {
  std::vector<Letter> letters = {{"a", result(1)}, {"a", result(2)}, {"a", activations(3, 64, 2)}};
  share_frames(letters);
  ASSERT_EQ(letters.size(), 2U);
  EXPECT_EQ(std::get<Together>(letters[0].body).results.size(), 2U);
  EXPECT_EQ(epoch_of(letters[0].body), 1);
  EXPECT_EQ(epoch_of(letters[1].body), 2);
}

}  // namespace
}  // namespace lingua
