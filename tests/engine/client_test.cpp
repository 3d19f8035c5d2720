#include "runtime/engine/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lingua {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const std::function<bool()> kNotOver = [] { return false; };

Submit numbered(RequestId id) {
  Submit submit;
  submit.request = id;
  return submit;
}

// What a client sends, as "submit 3", "cancel 2", "attach", "detach".
std::vector<std::string> said(Effects& effects) {
  std::vector<std::string> words;
  for (const Letter& letter : effects.letters) {
    EXPECT_EQ(letter.to, kCoordinator);
    if (const auto* submit = std::get_if<Submit>(&letter.body)) {
      words.push_back(fmt::format("submit {}", submit->request));
    } else if (const auto* cancel = std::get_if<Cancel>(&letter.body)) {
      words.push_back(fmt::format("cancel {}", cancel->request));
    } else {
      words.push_back(std::holds_alternative<Attach>(letter.body) ? "attach" : "detach");
    }
  }
  effects.letters.clear();
  return words;
}

class Played {
 public:
  explicit Played(const ClientJob& job) : client(job) {
    client.begin(effects);
    EXPECT_THAT(said(effects), ElementsAre("attach"));
  }
  std::vector<std::string> hear(MessageBody body, double at) {
    const Seconds now{at};
    client.take({kCoordinator, std::move(body), now, now, 0}, now, effects);
    client.submit_due(now, kNotOver, effects);
    return said(effects);
  }
  std::vector<std::string> wait_until(double at) {
    client.submit_due(Seconds(at), kNotOver, effects);
    return said(effects);
  }

  Client client;
  Effects effects;
};

TEST(Client, SubmitsNothingBeforeTheDevicesServe) {
  ClientJob job;
  job.requests = {numbered(0)};
  Played played(job);
  EXPECT_THAT(played.wait_until(5), IsEmpty());
  EXPECT_EQ(played.client.deadline(), kNever);
  EXPECT_THAT(played.hear(Serving{}, 7), ElementsAre("submit 0"));
}

TEST(Client, SubmitsEachRequestAtItsTimeAfterServingBegan) {
  ClientJob job;
  job.requests = {numbered(4), numbered(5), numbered(6)};
  job.arrivals = {Seconds(0), Seconds(1.5), Seconds(1.5)};
  Played played(job);
  EXPECT_THAT(played.hear(Serving{}, 10), ElementsAre("submit 4"));
  EXPECT_EQ(played.client.deadline(), Seconds(11.5));
  EXPECT_THAT(played.wait_until(11.4), IsEmpty());
  EXPECT_THAT(played.wait_until(11.5), ElementsAre("submit 5", "submit 6"));
  EXPECT_EQ(played.client.deadline(), kNever);
}

TEST(Client, LeavesWhenAllHaveEndedAndKeepsTheOrderOfSubmission) {
  ClientJob job;
  job.requests = {numbered(1), numbered(2), numbered(3)};
  Played played(job);
  played.hear(Serving{}, 0);
  EXPECT_THAT(played.hear(Done{3, {7}, {}}, 1), IsEmpty());
  EXPECT_THAT(played.hear(Refused{2, "no"}, 2), IsEmpty());
  EXPECT_FALSE(played.client.finished());
  EXPECT_THAT(played.hear(Done{1, {8}, {}}, 3), ElementsAre("detach"));
  ASSERT_TRUE(played.client.finished());
  const ClientResult result = std::move(played.client).result();
  ASSERT_EQ(result.answers.size(), 2U);
  EXPECT_EQ(result.answers[0].request, 1);
  EXPECT_EQ(result.answers[1].request, 3);
  ASSERT_EQ(result.refusals.size(), 1U);
  EXPECT_FALSE(result.stopped);
}

TEST(Client, KeepsAsManyUnderWayAsItsConcurrency) {
  ClientJob job;
  RequestId next = 0;
  job.concurrency = 2;
  job.next_request = [&](const auto&) -> std::optional<Submit> {
    return next < 4 ? std::optional(numbered(next++)) : std::nullopt;
  };
  Played played(job);
  EXPECT_THAT(played.hear(Serving{}, 0), ElementsAre("submit 0", "submit 1"));
  EXPECT_THAT(played.hear(Done{1, {}, {}}, 1), ElementsAre("submit 2"));
  EXPECT_THAT(played.hear(Refused{0, "no"}, 1), ElementsAre("submit 3"));
  EXPECT_THAT(played.hear(Done{2, {}, {}}, 2), IsEmpty());
  EXPECT_THAT(played.hear(Done{3, {}, {}}, 2), ElementsAre("detach"));
}

TEST(Client, CancelsWhatItsUserHasEnoughOf) {
  ClientJob job;
  job.requests = {numbered(0)};
  job.on_token = [](const TokenMade& token) { return token.index < 1; };
  Played played(job);
  played.hear(Serving{}, 0);
  EXPECT_THAT(played.hear(TokenMade{0, 0, 5}, 1), IsEmpty());
  EXPECT_THAT(played.hear(TokenMade{0, 1, 5}, 2), ElementsAre("cancel 0"));
}

TEST(Client, EndsWithTheCoordinator) {
  ClientJob job;
  job.requests = {numbered(0)};
  Played played(job);
  played.hear(Serving{}, 0);
  EXPECT_THAT(played.hear(Stop{}, 1), IsEmpty());
  EXPECT_TRUE(played.client.finished());
  EXPECT_TRUE(std::move(played.client).result().stopped);
}

TEST(Client, WithNothingToAskForLeavesAtOnce) {
  const ClientJob nothing;
  Played played(nothing);
  EXPECT_THAT(played.hear(Serving{}, 0), ElementsAre("detach"));
}

}  // namespace
}  // namespace lingua
