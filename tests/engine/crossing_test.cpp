// What a coordinator does with the states of requests that cross to another plan.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/errors.h"
#include "tests/engine/coordinator_fixture.h"

namespace lingua {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::kClient;
using ::testing::ThrowsMessage;
using ::testing::UnorderedElementsAre;

// a runs segments 0 to 2 and b 3 to 5; then a has 0 only. Three requests of three tokens run, of which 0 has
// ended, 1 has a token and 2 none.
class CrossingTest : public testing::CoordinatorTest {
 protected:
  void cross_by(Crossing crossing, std::map<RequestId, Crossing> others = {}) {
    job_.in_flight = 3;
    move_after_one(crossing);
    job_.rebalance = [others, move = job_.rebalance](const RunState& state) {
      std::optional<Move> moved = move(state);
      if (moved) moved->crossings.requests = others;
      return moved;
    };
    serve();
    for (RequestId id = 0; id < 3; ++id) hear(kClient, request(id, 9));
    for (const TokenId token : {5, 6}) hear("a", TokenMade{0, token - 5, token});
    hear(kClient, Cancel{0});
    hear("a", Done{0, {5, 6}, {}, Ending::kCancelled});
    hear("a", TokenMade{1, 0, 7});
    forget();
    become_ready(2);
  }

  // Both devices have stopped it, with so many of its tokens computed.
  void stopped(RequestId request, std::int64_t cached) {
    hear("b", Suspended{1, request, 0});
    hear("a", Suspended{1, request, cached});
  }

  MoveRecord record() {
    const CoordinatorResult result = std::move(*coordinator_).result();
    EXPECT_EQ(result.moves.size(), 1U);
    return result.moves.at(0);
  }
};

// The prompt of request 2 is under way; request 1 stops when its next token comes.
TEST_F(CrossingTest, StatesOfWhatChangesItsDeviceMoveWhenTheRequestHasStopped) {
  cross_by(Crossing::kMove);
  EXPECT_THAT(said(), UnorderedElementsAre("a: Suspend of request 2 of epoch 1",
                                           "b: Suspend of request 2 of epoch 1"));
  hear("a", TokenMade{1, 1, 8});
  ASSERT_EQ(sent_to<Suspend>("b").size(), 1U);
  EXPECT_TRUE(sent_to<Suspend>("b")[0].keep);
  EXPECT_EQ(sent_to<Suspend>("b")[0].next, 2);
  forget();
  stopped(1, 4);
  EXPECT_THAT(said(), ElementsAre("a: SendStates of epoch 2 to b")) << "nothing else, not yet";
  stopped(2, 2);
  EXPECT_THAT(said(), ElementsAre("a: SendStates of epoch 2 to b"));
  hear("b", StatesHeld{2, "a", 2, ""});
  ASSERT_EQ(sent_to<Submit>("a").size(), 1U);
  EXPECT_EQ(sent_to<Submit>("a")[0].request, 2);
  EXPECT_EQ(sent_to<Submit>("a")[0].cached, 2) << "a part of its prompt";
  forget();
  hear("b", StatesHeld{2, "a", 1, ""});
  ASSERT_EQ(sent_to<Submit>("a").size(), 1U);
  EXPECT_THAT(sent_to<Submit>("a")[0].made, ElementsAre(7, 8));
  EXPECT_EQ(sent_to<Submit>("a")[0].cached, 4);
  ASSERT_EQ(sent_to<Suspend>("a").size(), 1U);
  EXPECT_FALSE(sent_to<Suspend>("a")[0].keep) << "what only the old one needed goes";
  EXPECT_EQ(sent_to<Retire>("a").size(), 1U);
  EXPECT_EQ(record().moved, 2);
}

TEST_F(CrossingTest, WhatIsKeptTwiceRunsOnToItsFirstTokenAndIsCopiedFromThere) {
  cross_by(Crossing::kKeepTwice, {{1, Crossing::kEnd}});
  EXPECT_THAT(said(), IsEmpty()) << "the prompt of request 2 is under way";
  hear("a", TokenMade{2, 0, 9});
  ASSERT_EQ(sent_to<SendStates>("a").size(), 1U);
  EXPECT_EQ(sent_to<SendStates>("a")[0].ranges.at(0).end, 3) << "its prompt";
  hear("b", StatesHeld{2, "a", 2, ""});
  EXPECT_TRUE(sent_to<Suspend>("b").empty());
  hear("a", TokenMade{2, 1, 9});
  EXPECT_EQ(sent_to<Suspend>("b").size(), 1U);
  stopped(2, 4);
  hear("b", StatesHeld{2, "a", 2, ""});
  EXPECT_EQ(record().kept_twice, 1);
}

TEST_F(CrossingTest, IsChosenByTheRequestsThatRunWhenDevicesAreReady) {
  std::vector<std::pair<RequestId, std::int64_t>> run;
  job_.in_flight = 3;
  move_after_one(Crossing::kEnd);
  job_.rebalance = [&run, move = job_.rebalance](const RunState& state) {
    std::optional<Move> moved = move(state);
    if (!moved) return moved;
    moved->forecast.pause_s = 9;
    moved->cross = [&run](const RunState& then) {
      for (const RunState::Request& request : then.requests()) {
        if (request.runs) run.emplace_back(request.id, request.made);
      }
      return CrossingPlan{{Crossing::kEnd, {{1, Crossing::kMove}}}, 0.25, 0.5};
    };
    return moved;
  };
  serve();
  for (RequestId id = 0; id < 4; ++id) hear(kClient, request(id, 9));
  hear("a", TokenMade{0, 0, 5});
  hear(kClient, Cancel{0});
  hear("a", Done{0, {5}, {}, Ending::kCancelled});
  hear("a", TokenMade{1, 0, 7});
  EXPECT_TRUE(run.empty());
  become_ready(2);
  EXPECT_THAT(run, ElementsAre(std::pair(1, 1), std::pair(2, 0), std::pair(3, 0)));
  hear("a", TokenMade{1, 1, 8});
  const std::vector<Suspend> stopped = sent_to<Suspend>("b");
  ASSERT_EQ(stopped.size(), 1U) << "the others end where they run";
  EXPECT_EQ(stopped[0].request, 1);
  const MoveRecord move = record();
  EXPECT_EQ(move.ended, 2);
  EXPECT_EQ(move.forecast.copy_s, 0.25);
  EXPECT_EQ(move.forecast.pause_s, 0.5);
}

TEST_F(CrossingTest, SaysWhichSegmentsAndTokens) {
  cross_by(Crossing::kMove);
  hear("a", TokenMade{1, 1, 8});
  forget();
  stopped(1, 4);
  const std::vector<SendStates> jobs = sent_to<SendStates>("a");
  ASSERT_EQ(jobs.size(), 1U);
  EXPECT_EQ(jobs[0].to, "b");
  EXPECT_THAT(jobs[0].segments, ElementsAre(1, 2));
  ASSERT_EQ(jobs[0].ranges.size(), 1U);
  EXPECT_EQ(jobs[0].ranges[0].request, 1);
  EXPECT_EQ(jobs[0].ranges[0].capacity, 12);
  EXPECT_EQ(jobs[0].ranges[0].first, 0);
  EXPECT_EQ(jobs[0].ranges[0].end, 4);
  hear("b", StatesHeld{2, "a", 1, ""});
  EXPECT_EQ(record().states_bytes, 2 * 8 * 4) << "two segments, 8 bytes a token";
}

TEST_F(CrossingTest, WhatIsKeptTwiceIsCopiedWhileItRunsAndOnlyTheRestWhenItHasStopped) {
  cross_by(Crossing::kKeepTwice, {{2, Crossing::kRebuild}});
  ASSERT_EQ(sent_to<SendStates>("a").size(), 1U) << "it runs on";
  EXPECT_EQ(sent_to<SendStates>("a")[0].ranges.at(0).end, 3);
  for (std::int64_t i = 1; i < 5; ++i) hear("a", TokenMade{1, i, 7});
  forget();
  hear("b", StatesHeld{2, "a", 1, ""});
  std::vector<SendStates> jobs = sent_to<SendStates>("a");
  ASSERT_EQ(jobs.size(), 1U) << "four tokens came meanwhile";
  EXPECT_EQ(jobs[0].ranges.at(0).first, 3);
  EXPECT_EQ(jobs[0].ranges.at(0).end, 7);
  hear("a", TokenMade{1, 5, 7});
  forget();
  hear("b", StatesHeld{2, "a", 1, ""});
  EXPECT_THAT(said(), IsEmpty()) << "until its next token";
  hear("a", TokenMade{1, 6, 7});
  EXPECT_EQ(sent_to<Suspend>("b").size(), 1U);
  forget();
  stopped(1, 9);
  jobs = sent_to<SendStates>("a");
  ASSERT_EQ(jobs.size(), 1U);
  EXPECT_EQ(jobs[0].ranges.at(0).first, 7);
  EXPECT_EQ(jobs[0].ranges.at(0).end, 9);
  hear("b", StatesHeld{2, "a", 1, ""});
  ASSERT_EQ(sent_to<Submit>("a").size(), 1U);
  EXPECT_EQ(sent_to<Submit>("a")[0].cached, 9);
  stopped(2, 0);
  const MoveRecord move = record();
  EXPECT_EQ(move.kept_twice, 1);
  EXPECT_EQ(move.rebuilt, 1);
}

TEST_F(CrossingTest, EachRequestCrossesByItsOwnWay) {
  cross_by(Crossing::kRebuild, {{1, Crossing::kEnd}, {2, Crossing::kMove}});
  EXPECT_THAT(said(), UnorderedElementsAre("a: Suspend of request 2 of epoch 1",
                                           "b: Suspend of request 2 of epoch 1"));
  stopped(2, 2);
  hear("b", StatesHeld{2, "a", 2, ""});
  ASSERT_EQ(sent_to<Submit>("a").size(), 1U);
  EXPECT_EQ(sent_to<Submit>("a")[0].request, 2);
  EXPECT_TRUE(sent_to<Retire>("a").empty()) << "request 1 ends in the old one";
  for (std::int64_t i = 1; i < 9; ++i) hear("a", TokenMade{1, i, 7});
  hear("a", Done{1, std::vector<TokenId>(9, 7), {}});
  EXPECT_EQ(sent_to<Retire>("a").size(), 1U);
  const MoveRecord move = record();
  EXPECT_EQ(move.moved, 1);
  EXPECT_EQ(move.ended, 1);
}

TEST_F(CrossingTest, StatesThatFindNoRoomAreRebuilt) {
  cross_by(Crossing::kMove);
  stopped(2, 2);
  forget();
  hear("b", StatesHeld{2, "a", 2, "no room"});
  hear("b", StatesHeld{2, "a", 2, "no room"});
  ASSERT_EQ(sent_to<Submit>("a").size(), 1U);
  EXPECT_EQ(sent_to<Submit>("a")[0].cached, 0);
  EXPECT_EQ(record().rebuilt, 1);
}

// c, which the next plan leaves, has states for a, to which it had no link before.
TEST_F(CrossingTest, ALostLinkThatOnlyStatesUseHoldsNothingUp) {
  job_.deployment.plan.stages = {{"c", 0, 2, {}}, {"b", 3, 5, {}}};
  job_.deployment.plan.transfers = transfers_of(model_, job_.deployment.plan.stages);
  move_after_one(Crossing::kMove);
  begin();
  for (const char* name : {"c", "b"}) hear(name, Lacks{1, {}, {}});
  hear("b", Reached{1, "c"});
  hear("c", Reached{1, "b"});
  for (const char* name : {"c", "b"}) hear(name, Ready{1, 1e9});
  hear(kClient, Attach{});
  for (RequestId id = 0; id < 2; ++id) hear(kClient, request(id));
  for (const TokenId token : {5, 6}) hear("c", TokenMade{0, token - 5, token});
  hear("c", Done{0, {5, 6}, {}});
  become_ready(2);
  hear("b", Suspended{1, 1, 0});
  hear("c", Suspended{1, 1, 2});
  EXPECT_EQ(sent_to<SendStates>("c").size(), 2U) << "one for a, one for b";
  forget();
  hear("b", StatesHeld{2, "c", 1, ""});
  hear("c", LinkLost{1, "a", "silent"});
  now_ += job_.settle * 2;
  coordinator_->tick(now_, effects_);
  ASSERT_EQ(sent_to<Submit>("a").size(), 1U);
  EXPECT_EQ(sent_to<Submit>("a")[0].cached, 0);
}

TEST_F(CrossingTest, WhoIsCancelledOnTheWayLeavesNothingBehind) {
  cross_by(Crossing::kMove);
  stopped(2, 2);
  hear(kClient, Cancel{2});
  forget();
  hear("b", StatesHeld{2, "a", 2, ""});
  EXPECT_TRUE(sent_to<Submit>("a").empty());
  ASSERT_EQ(sent_to<Done>(kClient).size(), 1U);
  EXPECT_EQ(sent_to<Done>(kClient)[0].ending, Ending::kCancelled);
  EXPECT_EQ(sent_to<Release>("a").size(), 1U);
  EXPECT_EQ(sent_to<Release>("b").size(), 1U);
}

TEST_F(CrossingTest, WhoEndsBeforeItCrossesIsReleasedInBoth) {
  cross_by(Crossing::kMove);
  forget();
  hear(kClient, Cancel{1});
  EXPECT_EQ(sent_to<Cancel>("a").size(), 1U);
  hear("a", TokenMade{1, 1, 8});
  hear("a", Done{1, {7, 8}, {}, Ending::kCancelled});
  EXPECT_EQ(sent_to<Release>("a").size(), 1U);
  stopped(1, 4);  // too late
  stopped(2, 2);
  hear("b", StatesHeld{2, "a", 2, ""});
  const MoveRecord move = record();
  EXPECT_EQ(move.moved, 1);
  EXPECT_EQ(move.ended, 1);
}

TEST_F(CrossingTest, AHeaderThatSaysMoreThanThereIsAnswersNonsense) {
  cross_by(Crossing::kMove);
  EXPECT_THAT(
      [&] {
        hear("a", Suspended{1, 2, 3});
      },
      ThrowsMessage<WorldError>(
          HasSubstr("a answers nonsense: 3 tokens of request 2 are computed, which has 3")));
}

}  // namespace
}  // namespace lingua
