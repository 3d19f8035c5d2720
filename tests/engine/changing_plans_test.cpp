// What a coordinator does when the plan changes: moves, losses, devices that join.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/errors.h"
#include "tests/engine/coordinator_fixture.h"

namespace lingua {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::kClient;
using ::testing::ThrowsMessage;
using ::testing::UnorderedElementsAre;

class ChangingPlans : public testing::CoordinatorTest {
 protected:
  void a_goes_on_when_b_is_lost() {
    job_.recover = [&](const Membership& left) {
      EXPECT_THAT(left.lost, UnorderedElementsAre("b"));
      Deployment next = deployment(1, 2);
      next.plan.stages = {{"a", 0, 5, {}}};
      next.plan.transfers = {};
      return next;
    };
  }
};

TEST_F(ChangingPlans, NewRequestsGoToANewEpochAndTheOldOneEndsItsOwn) {
  move_after_one();
  serve();
  for (RequestId id = 0; id < 4; ++id) hear(kClient, request(id));
  forget();
  answer(0);
  EXPECT_EQ(sent_to<Prepare>("a").size(), 1U);
  EXPECT_EQ(sent_to<Submit>("a").back().epoch, 1) << "it is not ready yet";
  forget();
  become_ready(2);
  EXPECT_THAT(said(), IsEmpty()) << "two requests run in the old one";
  answer(1);
  EXPECT_EQ(sent_to<Submit>("a").back().epoch, 2);
  EXPECT_TRUE(sent_to<Retire>("a").empty());
  answer(2);
  ASSERT_EQ(sent_to<Retire>("a").size(), 1U);
  EXPECT_EQ(sent_to<Retire>("a")[0].epoch, 1);
  EXPECT_EQ(sent_to<Retire>("b").size(), 1U);
}

// b, with segments 3 to 5, is to get the weights of two more, of 40 bytes each, while a request runs.
class MoveIntoLittleRoom : public ChangingPlans {
 protected:
  // Has room for so many requests and so much more: states of 5 tokens in 3 segments, and one step at a time.
  void serve_with(int requests, double more_bytes) {
    double activations = 0;
    for (SegmentId id = 3; id < 6; ++id) {
      const Segment& segment = model_.segments[static_cast<std::size_t>(id)];
      activations = std::max(activations, segment.activation_bytes({3, 0}));
    }
    job_.rebalance = [this](const RunState&) -> std::optional<Move> {
      if (std::exchange(moved_, true)) return std::nullopt;
      return Move{deployment(1, 0), {Crossing::kEnd}, {}, "a test asks for it"};
    };
    begin();
    become_ready(1, requests * 3 * 5 * 8 + activations + more_bytes);
    hear(kClient, Attach{});
    hear(kClient, request(0));
    EXPECT_EQ(sent_to<Submit>("a").size(), 1U);
    forget();
    WorkReport report;
    report.epoch = 1;
    hear("a", report);
  }
};

TEST_F(MoveIntoLittleRoom, DoesNotComeWhereTheRequestThatRunsNeedsTheRoom) {
  serve_with(1, 79);
  EXPECT_THAT(sent_to<Prepare>("b"), IsEmpty());
  const CoordinatorResult result = std::move(*coordinator_).result();
  ASSERT_EQ(result.moves.size(), 1U);
  EXPECT_THAT(result.moves[0].failed,
              AllOf(HasSubstr("b has no room for 80.0 B of weights"), HasSubstr("79.0 B")));
}

TEST_F(MoveIntoLittleRoom, ComesWhereThereIsRoom) {
  serve_with(1, 80);
  EXPECT_EQ(sent_to<Prepare>("b").size(), 1U);
}

TEST_F(MoveIntoLittleRoom, RequestsThatHaveNoRoomBesideItWaitUntilItIsOver) {
  serve_with(2, 79);
  EXPECT_EQ(sent_to<Prepare>("b").size(), 1U);
  hear(kClient, request(1));
  EXPECT_THAT(sent_to<Submit>("a"), IsEmpty());
  hear("b", Failed{2, "the disk is full"});
  EXPECT_EQ(sent_to<Submit>("a").size(), 1U);
}

TEST_F(MoveIntoLittleRoom, RequestsThatHaveRoomBesideItDoNotWait) {
  serve_with(2, 80);
  hear(kClient, request(1));
  EXPECT_EQ(sent_to<Submit>("a").size(), 1U);
}

TEST_F(ChangingPlans, RequestsThatCrossGoOnInTheNewEpochWithTheirTokens) {
  job_.in_flight = 3;
  move_after_one(Crossing::kRebuild);
  serve();
  for (RequestId id = 0; id < 4; ++id) hear(kClient, request(id));
  hear("a", TokenMade{1, 0, 7});
  answer(0);
  forget();
  become_ready(2);
  EXPECT_THAT(said(),
              UnorderedElementsAre(
                  "a: Suspend of request 1 of epoch 1", "b: Suspend of request 1 of epoch 1",
                  "a: Suspend of request 2 of epoch 1", "b: Suspend of request 2 of epoch 1",
                  "a: Suspend of request 3 of epoch 1", "b: Suspend of request 3 of epoch 1"));
  hear(kClient, Cancel{2});
  hear("a", TokenMade{3, 0, 8});  // it had not heard of that yet
  forget();
  for (RequestId id = 1; id < 4; ++id) hear("b", Suspended{1, id, 0});
  EXPECT_THAT(said(), IsEmpty()) << "nothing goes on before all have said so";
  hear("a", Suspended{1, 3, 3});
  ASSERT_EQ(sent_to<Submit>("a").size(), 1U) << "each on its own";
  for (RequestId id = 1; id < 3; ++id) hear("a", Suspended{1, id, 0});
  EXPECT_EQ(sent_to<Retire>("b").size(), 1U);
  const std::vector<Submit> submits = sent_to<Submit>("a");
  ASSERT_EQ(submits.size(), 2U);
  EXPECT_EQ(submits[0].request, 3);
  EXPECT_THAT(submits[0].made, ElementsAre(8));
  EXPECT_EQ(submits[1].request, 1);
  EXPECT_THAT(submits[1].made, ElementsAre(7));
  for (const Submit& submit : submits) {
    EXPECT_EQ(submit.epoch, 2);
    EXPECT_EQ(submit.cached, 0);
  }
  ASSERT_EQ(sent_to<Done>(kClient).size(), 1U);
  EXPECT_EQ(sent_to<Done>(kClient)[0].ending, Ending::kCancelled);
  now_ = Seconds(3);
  hear("a", TokenMade{1, 1, 6});
  hear("a", Done{1, {7, 6}, {}});
  forget();
  for (const Epoch epoch : {1, 7}) hear("b", Suspended{epoch, 1, 0});
  EXPECT_THAT(said(), IsEmpty()) << "nobody waits for it";
  const CoordinatorResult result = std::move(*coordinator_).result();
  ASSERT_EQ(result.moves.size(), 1U);
  EXPECT_EQ(result.moves[0].failed, "");
  EXPECT_EQ(result.moves[0].rebuilt, 3);
  EXPECT_EQ(result.moves[0].pause_s, 3);
  EXPECT_EQ(result.moves[0].plan, "a 0-0 | b 1-5");
}

TEST_F(ChangingPlans, ALossWhileRequestsCrossLosesNoToken) {
  job_.in_flight = 2;
  move_after_one(Crossing::kRebuild);
  a_goes_on_when_b_is_lost();
  serve();
  for (RequestId id = 0; id < 2; ++id) hear(kClient, request(id));
  hear("a", TokenMade{1, 0, 7});
  answer(0);
  become_ready(2);
  hear("a", Suspended{1, 1, 3});
  forget();
  hear("b", PeerLost{"gone"});
  hear("a", Lacks{3, {}, {}});
  hear("a", Ready{3, 1e9});
  const std::vector<Submit> submits = sent_to<Submit>("a");
  ASSERT_EQ(submits.size(), 1U);
  EXPECT_EQ(submits[0].epoch, 3);
  EXPECT_THAT(submits[0].made, ElementsAre(7));
  const CoordinatorResult result = std::move(*coordinator_).result();
  ASSERT_EQ(result.moves.size(), 1U);
  EXPECT_EQ(result.moves[0].requests(), 0) << "none had crossed";
  EXPECT_EQ(result.recoveries.size(), 1U);
}

TEST_F(ChangingPlans, ReportsOfTheRunningEpochAreHandedOnAndAskedAfter) {
  std::vector<std::string> heard;
  job_.on_report = [&](const DeviceName& device, const WorkReport& report, Seconds) {
    heard.push_back(fmt::format("{} {}", device, report.tokens.runs));
  };
  int asked = 0;
  job_.rebalance = [&](const RunState& state) -> std::optional<Move> {
    ++asked;
    EXPECT_FALSE(state.between);
    const auto requests = state.requests();
    EXPECT_EQ(requests.size(), 1U);
    EXPECT_EQ(requests[0].prompt_tokens, 3);
    EXPECT_EQ(requests[0].made, 1);
    return std::nullopt;
  };
  serve();
  hear(kClient, request(0));
  hear("a", TokenMade{0, 0, 7});
  WorkReport report;
  report.epoch = 1;
  report.tokens.runs = 5;
  hear("b", report);
  report.epoch = 7;
  hear("b", report);
  EXPECT_THAT(heard, ElementsAre("b 5"));
  EXPECT_EQ(asked, 1);
}

// b is lost and a goes on alone.
TEST_F(ChangingPlans, ALostEndIsGivenAndLetsTheNextRequestIn) {
  job_.in_flight = 1;
  a_goes_on_when_b_is_lost();
  serve();
  for (RequestId id = 0; id < 2; ++id) hear(kClient, request(id));
  const std::int64_t tokens = request(0).max_tokens;
  for (std::int64_t i = 0; i < tokens; ++i) hear("a", TokenMade{0, i, 5});
  forget();
  hear("b", PeerLost{"gone"});
  ASSERT_EQ(sent_to<Prepare>("a").size(), 1U);
  EXPECT_TRUE(sent_to<Prepare>("a")[0].replaces_all);
  forget();
  hear("a", Lacks{2, {}, {}});
  hear("a", Ready{2, 1e9});
  ASSERT_EQ(sent_to<Done>(kClient).size(), 1U);
  EXPECT_EQ(sent_to<Done>(kClient)[0].tokens.size(), static_cast<std::size_t>(tokens));
  ASSERT_EQ(sent_to<Submit>("a").size(), 1U) << "the one that waited";
  EXPECT_EQ(sent_to<Submit>("a")[0].request, 1);
}

// a is lost, and the new plan leaves b out, whose refusal was still on its way.
TEST_F(ChangingPlans, ADeviceThatThePlanHasLeftRefusesNothing) {
  job_.recover = [&](const Membership&) {
    Deployment next = deployment(1, 2);
    next.plan.stages = {{"c", 0, 5, {}}};
    next.plan.transfers = {};
    return next;
  };
  serve();
  hear(kClient, request(0));
  hear("a", TokenMade{0, 0, 5});
  hear("a", PeerLost{"gone"});
  hear("c", Lacks{2, {}, {}});
  forget();
  hear("c", Ready{2, 1e9});
  ASSERT_EQ(sent_to<Submit>("c").size(), 1U);
  EXPECT_THAT(sent_to<Submit>("c")[0].made, ElementsAre(5));
  hear("b", Refused{0, "no room"});
  EXPECT_TRUE(sent_to<Refused>(kClient).empty());
  hear("c", Refused{0, "no room"});
  EXPECT_EQ(sent_to<Refused>(kClient).size(), 1U);
}

// The refusal of the next step came faster than the header's token of the last.
TEST_F(ChangingPlans, WhatTheHeaderHadSentOfARefusedRequestIsDropped) {
  serve();
  hear(kClient, request(0));
  hear(kClient, request(1));
  hear("b", Refused{0, "no room"});
  EXPECT_EQ(sent_to<Refused>(kClient).size(), 1U);
  forget();
  answer(0);
  EXPECT_THAT(said(), IsEmpty());
  answer(1);
  EXPECT_EQ(sent_to<Done>(kClient).size(), 1U);
}

// A liar has sent the Probe that this one answers.
TEST_F(ChangingPlans, AnAnswerToAProbeThatNobodyWasToSendEndsNothing) {
  begin();
  hear("b", Reached{1, "a"});
  hear("b", Reached{1, "a"});
  hear("b", Reached{0, "a"});
  become_ready(1);
  hear("b", Reached{1000, "a"});
  hear(kClient, Attach{});
  EXPECT_EQ(sent_to<Serving>(kClient).size(), 1U);
}

TEST_F(ChangingPlans, LinksThatAreLostTogetherAreAllLeftOut) {
  std::vector<Membership> asked;
  job_.recover = [&](const Membership& left) {
    asked.push_back(left);
    return deployment(1, 2);
  };
  serve();
  hear("a", LinkLost{1, "b", "silent"});
  now_ += job_.settle / 2;
  hear("b", LinkLost{1, "c", "silent"});
  hear("b", LinkLost{1, "a", "silent"});  // the first, from its other end
  now_ += job_.settle * 2;
  coordinator_->tick(now_, effects_);
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_THAT(asked[0].cut, UnorderedElementsAre(std::pair("a", "b"), std::pair("b", "c")));
  EXPECT_THAT(asked[0].lost, IsEmpty());
}

TEST_F(ChangingPlans, TellsHowItStandsWheneverThatChanges) {
  std::vector<Overview> seen;
  job_.on_overview = [&](const Overview& overview) { seen.push_back(overview); };
  job_.recover = [&](const Membership&) { return deployment(1, 2); };
  move_after_one();
  serve();
  ASSERT_FALSE(seen.empty());
  EXPECT_EQ(seen.back().epoch, 1);
  hear(kClient, request(0));
  answer(0);
  become_ready(2);
  EXPECT_EQ(seen.back().epoch, 2);
  EXPECT_EQ(seen.back().moves, 1);
  EXPECT_EQ(seen.back().recoveries, 0);
  hear("b", PeerLost{"gone"});
  EXPECT_THAT(seen.back().lost, UnorderedElementsAre("b"));
  become_ready(3);
  EXPECT_EQ(seen.back().epoch, 3);
  EXPECT_EQ(seen.back().recoveries, 1);
  EXPECT_EQ(seen.back().failed_moves, 0);
}

// Whoever says so may make it up, again and again.
TEST_F(ChangingPlans, ALinkThatNoPlanUsesIsLeftOutOfTheNextAndChangesNothingNow) {
  std::vector<Membership> asked;
  job_.recover = [&](const Membership& left) {
    asked.push_back(left);
    return deployment(1, 2);
  };
  serve();
  for (const char* peer : {"c", "d"}) {
    hear("a", LinkLost{1, peer, "silent"});
    now_ += job_.settle * 2;
    coordinator_->tick(now_, effects_);
  }
  EXPECT_THAT(asked, IsEmpty());
  hear(kClient, request(0));
  answer(0);
  EXPECT_EQ(sent_to<Done>(kClient).size(), 1U);
  hear("a", LinkLost{1, "b", "silent"});
  now_ += job_.settle * 2;
  coordinator_->tick(now_, effects_);
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_THAT(asked[0].cut,
              UnorderedElementsAre(std::pair("a", "b"), std::pair("a", "c"), std::pair("a", "d")));
}

// b is lost, and a alone has no plan; c joins.
class WaitingForADevice : public ChangingPlans {
 protected:
  WaitingForADevice() {
    job_.wait_for_devices = Seconds(30);
    job_.recover = [&](const Membership& left) {
      if (!has_c_) throw InfeasibleError("a lacks 1 GB");
      lost_ = left.lost;
      Deployment next = deployment(1, 2);
      next.plan.stages = {{"a", 0, 2, {}}, {"c", 3, 5, {}}};
      next.plan.transfers = transfers_of(model_, next.plan.stages);
      return next;
    };
    job_.on_change = [&](const std::string& what) { changes_.push_back(what); };
    serve();
    hear(kClient, request(0));
    hear("a", TokenMade{0, 0, 5});
    now_ = Seconds(10);
    hear("b", PeerLost{"gone"});
  }

  bool has_c_ = false;
  std::set<DeviceName> lost_;
  std::vector<std::string> changes_;
};

TEST_F(WaitingForADevice, TheRunGoesOnWhenOneJoins) {
  EXPECT_THAT(changes_.back(), HasSubstr("a lacks 1 GB; waiting 30 s for a device to join"));
  EXPECT_EQ(coordinator_->deadline(), Seconds(40));
  forget();
  now_ = Seconds(25);
  has_c_ = true;
  hear("c", Hello{{}});
  EXPECT_THAT(changes_.back(), HasSubstr("c has joined"));
  EXPECT_THAT(lost_, UnorderedElementsAre("b"));
  ASSERT_EQ(sent_to<Prepare>("c").size(), 1U);
  ASSERT_EQ(sent_to<Prepare>("a").size(), 1U);
  EXPECT_TRUE(sent_to<Prepare>("a")[0].replaces_all);
  EXPECT_TRUE(sent_to<Retire>("b").empty());
  forget();
  for (const char* name : {"a", "c"}) hear(name, Lacks{2, {}, {}});
  hear("c", Reached{2, "a"});
  hear("a", Reached{2, "c"});
  for (const char* name : {"a", "c"}) hear(name, Ready{2, 1e9});
  ASSERT_EQ(sent_to<Submit>("a").size(), 1U);
  EXPECT_THAT(sent_to<Submit>("a")[0].made, ElementsAre(5));
}

TEST_F(WaitingForADevice, TheRunEndsWhenNoneDoes) {
  now_ = Seconds(39);
  coordinator_->tick(now_, effects_);
  now_ = Seconds(40);
  EXPECT_THAT([&] { coordinator_->tick(now_, effects_); },
              ThrowsMessage<WorldError>(AllOf(HasSubstr("b was lost"), HasSubstr("a lacks 1 GB"),
                                              HasSubstr("no device has joined for 30 s"))));
}

TEST_F(WaitingForADevice, WhatIsSaidOfItsFormerProcessIsLate) {
  forget();
  has_c_ = true;
  hear("b", Hello{{}});
  ASSERT_EQ(sent_to<Prepare>("c").size(), 1U);
  hear("a", LinkLost{1, "b", "the connection broke"});
  EXPECT_EQ(coordinator_->deadline(), kNever) << "nothing is waited for that would explain it";
  hear("a", LinkLost{2, "c", "the connection broke"});
  EXPECT_EQ(coordinator_->deadline(), now_ + job_.settle);
}

TEST_F(ChangingPlans, ADeviceThatBeginsAnewIsLostFirst) {
  std::vector<std::set<DeviceName>> lost;
  job_.recover = [&](const Membership& left) {
    lost.push_back(left.lost);
    Deployment next = deployment(1, 2);
    next.plan.stages = {{"a", 0, 5, {}}};
    next.plan.transfers = {};
    return next;
  };
  std::vector<std::vector<DeviceName>> joined;
  job_.rebalance = [&](const RunState& state) -> std::optional<Move> {
    joined.push_back(state.joined);
    EXPECT_TRUE(state.membership->lost.empty());
    return std::nullopt;
  };
  serve();
  hear("b", Hello{{}});
  ASSERT_EQ(lost.size(), 1U);
  EXPECT_THAT(lost[0], UnorderedElementsAre("b"));
  hear("a", Lacks{2, {}, {}});
  EXPECT_THAT(joined, IsEmpty()) << "a plan without it is coming";
  hear("a", Ready{2, 1e9});
  ASSERT_EQ(joined.size(), 1U);
  EXPECT_THAT(joined[0], ElementsAre("b"));
  hear("c", Hello{{}});
  ASSERT_EQ(joined.size(), 2U);
  EXPECT_THAT(joined[1], ElementsAre("c"));
}

TEST_F(ChangingPlans, ADeploymentThatFailsLeavesTheRunningOne) {
  move_after_one();
  serve();
  for (RequestId id = 0; id < 3; ++id) hear(kClient, request(id));
  answer(0);
  forget();
  hear("b", Failed{2, "weights do not fit"});
  EXPECT_THAT(said(), ElementsAre("a: Retire of epoch 2"));
  hear("a", Lacks{2, {}, {}});  // said before it heard of that
  hear("a", Failed{2, "it cannot either"});
  EXPECT_THAT(said(), IsEmpty());
  answer(1);
  answer(2);
  hear(kClient, Detach{});
  for (const char* name : {"a", "b"}) hear(name, Events{});
  ASSERT_TRUE(coordinator_->finished());
  EXPECT_THAT(std::move(*coordinator_).result().notes,
              ElementsAre(HasSubstr("epoch 2 came to nothing: b failed: weights do not fit")));
}

}  // namespace
}  // namespace lingua
