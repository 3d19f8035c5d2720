// A coordinator that is lost, and one after it that goes on where its journal ends.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/engine/coordinator_fixture.h"
#include "tests/support/memory_journal.h"

namespace lingua {
namespace {

using testing::CoordinatorTest;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::kClient;
using testing::MemoryJournal;
using ::testing::SizeIs;

class JournalTest : public CoordinatorTest {
 protected:
  JournalTest() { job_.journal = &journal_; }

  // As the loop does after each message.
  void note() {
    journal_.append(effects_.entries);
    effects_.entries.clear();
  }
  void tell(const DeviceName& from, MessageBody body) {
    hear(from, std::move(body));
    note();
  }
  // The coordinator is lost, and another one has the devices.
  void restart() {
    effects_ = {};
    now_ = Seconds(0);
    serve();
  }
  std::vector<std::pair<std::int64_t, TokenId>> tokens_for_client() {
    std::vector<std::pair<std::int64_t, TokenId>> tokens;
    for (const TokenMade& made : sent_to<TokenMade>(kClient))
      tokens.emplace_back(made.index, made.token);
    return tokens;
  }

  MemoryJournal journal_;
};

TEST_F(JournalTest, ARequestGoesOnWithItsTokensWhichItsClientGetsAgain) {
  serve();
  tell(kClient, request(7, 4));
  tell("a", TokenMade{0, 0, 5});
  tell("a", TokenMade{0, 1, 6});
  restart();
  tell(kClient, request(7, 4));
  EXPECT_THAT(tokens_for_client(), ElementsAre(std::pair(0, 5), std::pair(1, 6)));
  const auto submitted = sent_to<Submit>("a");
  ASSERT_THAT(submitted, SizeIs(1));
  EXPECT_THAT(submitted[0].made, ElementsAre(5, 6));
  EXPECT_TRUE(submitted[0].started.has_value());
  forget();
  tell("a", TokenMade{0, 2, 7});
  tell("a", TokenMade{0, 3, 8});
  tell("a", Done{0, {5, 6, 7, 8}, {}});
  const auto done = sent_to<Done>(kClient);
  ASSERT_THAT(done, SizeIs(1));
  EXPECT_EQ(done[0].request, 7);
  EXPECT_THAT(done[0].tokens, ElementsAre(5, 6, 7, 8));
}

// It had been told to end after every message in turn, before or after that was written down.
TEST_F(JournalTest, WheneverItIsLostTheAnswerIsTheSame) {
  const std::vector<MessageBody> all = {TokenMade{0, 0, 5}, TokenMade{0, 1, 6}, TokenMade{0, 2, 7},
                                        Done{0, {5, 6, 7}, {}}};
  for (std::size_t lost = 0; lost <= all.size(); ++lost) {
    for (const bool is_noted : {false, true}) {
      SCOPED_TRACE(lost);
      journal_ = {};
      serve();
      tell(kClient, request(7, 3));
      for (std::size_t i = 0; i < lost; ++i) tell("a", all[i]);
      if (lost < all.size()) hear("a", all[lost]);
      if (is_noted) note();
      restart();
      tell(kClient, request(7, 3));
      const auto made = static_cast<std::int64_t>(tokens_for_client().size());
      if (made < 3) {
        EXPECT_THAT(sent_to<Submit>("a"), SizeIs(1));
        for (std::int64_t i = made; i < 3; ++i) tell("a", TokenMade{0, i, 5 + i});
        tell("a", Done{0, {5, 6, 7}, {}});
      } else {
        EXPECT_THAT(sent_to<Submit>("a"), IsEmpty()) << "all tokens are there";
      }
      EXPECT_THAT(tokens_for_client(),
                  ElementsAre(std::pair(0, 5), std::pair(1, 6), std::pair(2, 7)));
      const auto done = sent_to<Done>(kClient);
      ASSERT_THAT(done, SizeIs(1));
      EXPECT_THAT(done[0].tokens, ElementsAre(5, 6, 7));
      EXPECT_EQ(done[0].ending, Ending::kLength);
    }
  }
}

TEST_F(JournalTest, WhatHadEndedTakesNoPlaceOfWhatRuns) {
  job_.in_flight = 1;
  serve();
  tell(kClient, request(0));
  answer(0);
  note();
  tell(kClient, request(1));
  tell("a", TokenMade{1, 0, 5});
  restart();
  tell(kClient, request(1));
  tell(kClient, request(2));
  tell(kClient, request(0));
  EXPECT_THAT(sent_to<Submit>("a"), SizeIs(1));
  const auto done = sent_to<Done>(kClient);
  ASSERT_THAT(done, SizeIs(1));
  EXPECT_EQ(done[0].request, 0);
  EXPECT_THAT(done[0].tokens, ElementsAre(5, 6));
}

TEST_F(JournalTest, OneThatItsClientCutShortStaysSo) {
  serve();
  tell(kClient, request(7, 9));
  tell("a", TokenMade{0, 0, 5});
  tell(kClient, Cancel{7});
  tell("a", Done{0, {5}, {}, Ending::kCancelled});
  for (int restarts = 0; restarts < 2; ++restarts) {
    restart();
    tell(kClient, request(7, 9));
    EXPECT_THAT(sent_to<Submit>("a"), IsEmpty());
    const auto done = sent_to<Done>(kClient);
    ASSERT_THAT(done, SizeIs(1));
    EXPECT_EQ(done[0].ending, Ending::kCancelled);
    EXPECT_THAT(done[0].tokens, ElementsAre(5));
    tell(kClient, Cancel{7});  // by a client that sees its token again
  }
}

TEST_F(JournalTest, OneThatStoppedHasStopped) {
  Submit asked = request(7, 9);
  asked.stop_tokens = {6};
  serve();
  tell(kClient, asked);
  tell("a", TokenMade{0, 0, 5});
  tell("a", TokenMade{0, 1, 6});
  restart();
  tell(kClient, asked);
  ASSERT_THAT(sent_to<Done>(kClient), SizeIs(1));
  EXPECT_EQ(sent_to<Done>(kClient)[0].ending, Ending::kStop);
}

// It is refused alone: the journal stays as it is, and others go on.
TEST_F(JournalTest, ARequestThatIsAnotherIsRefused) {
  serve();
  tell(kClient, request(7, 4));
  tell("a", TokenMade{0, 0, 5});
  const std::size_t noted = journal_.entries().size();
  const auto refusal = [&](const std::function<void(Submit&)>& change) {
    restart();
    Submit other = request(7, 4);
    change(other);
    tell(kClient, other);
    const auto refused = sent_to<Refused>(kClient);
    EXPECT_EQ(sent_to<TokenMade>(kClient).empty(), !refused.empty());
    return refused.size() == 1 ? refused[0].reason : "";
  };
  EXPECT_THAT(refusal([](Submit& s) { s.max_tokens = 5; }),
              HasSubstr("max_tokens is 4 there and 5 here"));
  EXPECT_THAT(refusal([](Submit& s) {
                s.inputs = {make_int64_tensor({1, 2, 4})};
              }),
              HasSubstr("its prompt is another"));
  EXPECT_THAT(refusal([](Submit& s) { s.stop_tokens = {3}; }), HasSubstr("stop tokens"));
  EXPECT_THAT(refusal([](Submit& s) { s.sampling.temperature = 0.5; }),
              HasSubstr("temperature is 0 there and 0.5 here"));
  EXPECT_EQ(journal_.entries().size(), noted);
  EXPECT_EQ(refusal([](Submit& s) { s.sampling.seed = 9; }), "") << "greedy: no draw is made";
}

TEST_F(JournalTest, SamplingIsPartOfARequestFieldByField) {
  Sampling drawn;
  drawn.temperature = 1;
  RequestContent there;
  there.sampling = drawn;
  const auto found = [&](const std::function<void(Sampling&)>& change) {
    RequestContent here = there;
    change(here.sampling);
    return difference(there, here);
  };
  EXPECT_EQ(found([](Sampling&) {}), "");
  EXPECT_EQ(found([](Sampling& s) { s.seed = 9; }), "the seed of its draws is 0 there and 9 here");
  EXPECT_EQ(found([](Sampling& s) { s.top_k = 2; }), "top_k is 0 there and 2 here");
  EXPECT_EQ(found([](Sampling& s) { s.top_p = 0.5; }), "top_p is 1 there and 0.5 here");
  EXPECT_THAT(found([](Sampling& s) { s.repetition_penalty = 2; }),
              HasSubstr("penalty is 1 there"));
  EXPECT_THAT(found([](Sampling& s) { s.repetition_window = 2; }), HasSubstr("window is 64 there"));
}

TEST_F(JournalTest, TokensThatTheModelDoesNotHaveAreNotActedOn) {
  journal_.append({RequestBegun{{kClient, 7}, content_of(request(7, 4))},
                   TokenNoted{{kClient, 7}, 0, testing::kToyVocabulary}});
  serve();
  tell(kClient, request(7, 4));
  EXPECT_THAT(sent_to<Submit>("a"), IsEmpty());
  const auto refused = sent_to<Refused>(kClient);
  ASSERT_THAT(refused, SizeIs(1));
  EXPECT_THAT(refused[0].reason, HasSubstr("token id 97"));
}

TEST_F(JournalTest, ASinglePassIsNotNoted) {
  serve();
  tell(kClient, request(7, 0));
  tell(kClient, request(8, 2));
  tell(kClient, Cancel{7});
  EXPECT_THAT(journal_.entries(), SizeIs(1));
}

}  // namespace
}  // namespace lingua
