#include "runtime/engine/coordinator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/errors.h"
#include "tests/support/toy_model.h"

namespace lingua {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;
using ::testing::UnorderedElementsAre;

constexpr const char* kClient = "client:1";

// A coordinator without a mailbox, and a clock of the test's own. Devices a and b run three segments each.
class CoordinatorTest : public ::testing::Test {
 protected:
  CoordinatorTest() {
    job_.deployment = deployment(1, 2);
    job_.in_flight = 2;
  }

  Deployment deployment(Epoch epoch, SegmentId last_of_a) {
    Deployment deployment;
    deployment.epoch = epoch;
    deployment.segmentation = &model_;
    deployment.source = &source_;
    deployment.plan.stages = {{"a", 0, last_of_a, {}}, {"b", last_of_a + 1, 5, {}}};
    deployment.plan.transfers = transfers_of(model_, deployment.plan.stages);
    return deployment;
  }

  // Another plan, once a request has ended.
  void move_after_one(Crossing crossing = Crossing::kEnd) {
    job_.rebalance = [this, crossing](const RunState& state) -> std::optional<Move> {
      if (state.ended != 1 || moved_) return std::nullopt;
      moved_ = true;
      return Move{deployment(1, 0), crossing, {}, "a test asks for it"};
    };
  }

  void begin() {
    coordinator_.emplace(job_);
    coordinator_->begin(now_, effects_);
    forget();
  }

  void hear(const DeviceName& from, MessageBody body) {
    coordinator_->take({from, std::move(body), now_, now_, 0}, now_, effects_);
  }

  // Both devices are ready; they lack nothing.
  void become_ready(Epoch epoch, double free_bytes = 1e9) {
    for (const char* name : {"a", "b"}) hear(name, Lacks{epoch, {}, {}});
    hear("b", Reached{epoch, "a"});
    hear("a", Reached{epoch, "b"});
    for (const char* name : {"a", "b"}) hear(name, Ready{epoch, free_bytes});
  }

  void serve() {
    begin();
    become_ready(1);
    hear(kClient, Attach{});
    forget();
  }

  static Submit request(RequestId id, std::int64_t max_tokens = 2) {
    Submit submit;
    submit.request = id;
    submit.inputs = {make_int64_tensor({1, 2, 3})};
    submit.max_tokens = max_tokens;
    submit.capacity = 3 + max_tokens;
    return submit;
  }

  void answer(RequestId request) {
    hear("a", TokenMade{request, 0, 5});
    hear("a", TokenMade{request, 1, 6});
    hear("a", Done{request, {5, 6}, {}});
  }

  // "to: what" of all that was sent since the last call.
  std::vector<std::string> said() {
    std::vector<std::string> lines;
    for (const Letter& letter : effects_.letters)
      lines.push_back(fmt::format("{}: {}", letter.to, describe(letter.body)));
    effects_.letters.clear();
    return lines;
  }
  void forget() { said(); }
  template <class Body>
  std::vector<Body> sent_to(const DeviceName& name) {
    std::vector<Body> bodies;
    for (const Letter& letter : effects_.letters) {
      if (letter.to != name) continue;
      if (const auto* body = std::get_if<Body>(&letter.body)) bodies.push_back(*body);
    }
    return bodies;
  }

  const Segmentation model_ = testing::toy_segmentation(6, true);
  testing::ToySource source_;
  CoordinatorJob job_;
  std::optional<Coordinator> coordinator_;
  Effects effects_;
  bool moved_ = false;
  Seconds now_{0};
};

TEST_F(CoordinatorTest, TellsClientsWhenTheDevicesServe) {
  begin();
  hear(kClient, Attach{});
  EXPECT_THAT(said(), IsEmpty());
  become_ready(1);
  EXPECT_THAT(said(), ElementsAre("client:1: Serving"));
  hear("client:2", Attach{});
  EXPECT_THAT(said(), ElementsAre("client:2: Serving"));
}

TEST_F(CoordinatorTest, GivesRequestsOfAllClientsNumbersOfTheirOwn) {
  serve();
  hear("client:2", Attach{});
  forget();
  hear(kClient, request(7));
  hear("client:2", request(7));
  EXPECT_THAT(said(), ElementsAre("a: Submit of request 0", "a: Submit of request 1"));
  hear("a", TokenMade{1, 0, 5});
  hear("a", TokenMade{0, 0, 6});
  const auto first = sent_to<TokenMade>(kClient);
  const auto second = sent_to<TokenMade>("client:2");
  ASSERT_EQ(first.size(), 1U);
  ASSERT_EQ(second.size(), 1U);
  EXPECT_EQ(first[0].request, 7);
  EXPECT_EQ(first[0].token, 6);
  EXPECT_EQ(second[0].token, 5);
}

TEST_F(CoordinatorTest, AdmitsNoMoreThanMayBeInFlight) {
  serve();
  for (RequestId id = 0; id < 4; ++id) hear(kClient, request(id));
  EXPECT_THAT(said(), ElementsAre("a: Submit of request 0", "a: Submit of request 1"));
  answer(1);
  EXPECT_EQ(sent_to<Submit>("a").size(), 1U);
  EXPECT_EQ(sent_to<Release>("a").size(), 1U);
  EXPECT_EQ(sent_to<Release>("b").size(), 1U);
}

// Each request holds states of 3 segments x 8 bytes x 5 tokens on each device.
TEST_F(CoordinatorTest, ARequestWaitsUntilItsStatesHaveRoom) {
  job_.in_flight = 10;
  begin();
  const double states = 3 * 8 * 5;
  double activations = 0;
  for (const Segment& segment : model_.segments)
    activations = std::max(activations, segment.activation_bytes({3, 0}));
  become_ready(1, 2 * states + activations);
  hear(kClient, Attach{});
  forget();
  for (RequestId id = 0; id < 4; ++id) hear(kClient, request(id));
  EXPECT_THAT(said(), ElementsAre("a: Submit of request 0", "a: Submit of request 1"));
  answer(0);
  EXPECT_EQ(sent_to<Submit>("a").size(), 1U);
}

// The first that waits is too large for what is free, and goes; the one behind it is not.
TEST_F(CoordinatorTest, ARequestThatIsCancelledKeepsNoOtherWaiting) {
  job_.in_flight = 10;
  begin();
  double activations = 0;
  for (const Segment& segment : model_.segments)
    activations = std::max(activations, segment.activation_bytes({3, 0}));
  become_ready(1, 2 * 3 * 8 * 5 + activations);
  hear(kClient, Attach{});
  hear(kClient, request(0));
  hear(kClient, request(1, 7));
  forget();
  now_ = Seconds(1);
  hear(kClient, request(2));
  EXPECT_THAT(said(), IsEmpty());
  now_ = Seconds(3);
  hear(kClient, Cancel{1});
  EXPECT_THAT(said(), ElementsAre("client:1: Done with request 1", "a: Submit of request 2"));
  now_ = Seconds(4);
  const CoordinatorResult result = std::move(*coordinator_).result();
  ASSERT_EQ(result.log.rows().size(), 1U) << "the wait ended with it";
  const EventRow& row = result.log.rows().front();
  EXPECT_EQ(row.what, event::kMemory);
  EXPECT_EQ(row.start, Seconds(0));
  EXPECT_EQ(row.end, Seconds(3));
}

TEST_F(CoordinatorTest, ARequestThatNeverFitsIsForTheDevicesToRefuse) {
  begin();
  become_ready(1, 10);
  hear(kClient, Attach{});
  forget();
  hear(kClient, request(0));
  EXPECT_THAT(said(), ElementsAre("a: Submit of request 0"));
  hear("b", Refused{0, "no room"});
  hear("a", Refused{0, "no room either"});  // said before it heard of the end
  const auto refusals = sent_to<Refused>(kClient);
  ASSERT_EQ(refusals.size(), 1U);
  EXPECT_EQ(refusals[0].reason, "b: no room");
  EXPECT_EQ(sent_to<Release>("a").size(), 1U);
}

// A device that lies to another can have it refuse whatever it likes.
TEST_F(CoordinatorTest, ARefusalOfWhatDoesNotRunIsNobodysBusiness) {
  serve();
  for (RequestId id = 0; id < 3; ++id) hear(kClient, request(id));
  forget();
  for (RequestId invented : {-1, 2, 3, 1000000}) hear("b", Refused{invented, "no room"});
  EXPECT_THAT(said(), IsEmpty()) << "request 2 waits";
  answer(0);
  EXPECT_EQ(sent_to<Submit>("a").back().request, 2);
}

TEST_F(CoordinatorTest, ASecondRequestOfOneNumberIsRefusedAlone) {
  serve();
  hear(kClient, request(3));
  hear(kClient, request(3));
  EXPECT_THAT(said(), ElementsAre("a: Submit of request 0",
                                  HasSubstr("client:1: Refused of request 3: another request")));
  answer(0);
  hear(kClient, request(3));
  EXPECT_EQ(sent_to<Submit>("a").back().request, 1) << "the number is free again";
}

TEST_F(CoordinatorTest, CancelsWhatWaitsWithoutAskingTheDevices) {
  serve();
  for (RequestId id = 0; id < 3; ++id) hear(kClient, request(id));
  forget();
  hear(kClient, Cancel{2});
  const auto ends = sent_to<Done>(kClient);
  ASSERT_EQ(ends.size(), 1U);
  EXPECT_EQ(ends[0].ending, Ending::kCancelled);
  EXPECT_THAT(said(), ElementsAre("client:1: Done with request 2"));
  hear(kClient, Cancel{1});
  EXPECT_THAT(said(), ElementsAre("a: Cancel of request 1"));
  hear(kClient, Cancel{77});
  EXPECT_THAT(said(), IsEmpty());
}

TEST_F(CoordinatorTest, IsOverWhenTheLastClientHasGoneAndItsRequestsHaveEnded) {
  serve();
  hear(kClient, request(0));
  hear(kClient, Detach{});
  forget();
  answer(0);
  EXPECT_EQ(sent_to<AskEvents>("a").size(), 1U);
  EXPECT_FALSE(coordinator_->finished());
  for (const char* name : {"a", "b"}) hear(name, Events{});
  EXPECT_TRUE(coordinator_->finished());
}

TEST_F(CoordinatorTest, WaitsForEverForAPersonButSeesALossAtOnce) {
  job_.stall_timeout = Seconds(10);
  serve();
  EXPECT_EQ(coordinator_->deadline(), kNever);
  now_ = Seconds(100'000);
  coordinator_->tick(now_, effects_);
  EXPECT_THAT(said(), IsEmpty());
  EXPECT_THAT([&] { hear("b", PeerLost{"gone"}); },
              ThrowsMessage<WorldError>(HasSubstr("b was lost while it held segments 3 to 5")));
}

TEST_F(CoordinatorTest, LooksForAStandstillWhileARequestRuns) {
  job_.stall_timeout = Seconds(10);
  serve();
  now_ = Seconds(100'000);
  hear(kClient, request(0));
  forget();
  now_ = coordinator_->deadline();
  EXPECT_LT(now_, Seconds(100'010));
  coordinator_->tick(now_, effects_);
  EXPECT_THAT(said(), UnorderedElementsAre("a: AskStanding", "b: AskStanding"));
}

TEST_F(CoordinatorTest, NewRequestsGoToANewEpochAndTheOldOneEndsItsOwn) {
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

TEST_F(CoordinatorTest, RequestsThatCrossGoOnInTheNewEpochWithTheirTokens) {
  job_.in_flight = 3;
  move_after_one(Crossing::kRebuild);
  serve();
  for (RequestId id = 0; id < 4; ++id) hear(kClient, request(id));
  hear("a", TokenMade{1, 0, 7});
  answer(0);
  forget();
  become_ready(2);
  EXPECT_THAT(said(), UnorderedElementsAre("a: Retire of epoch 1", "b: Retire of epoch 1"));
  hear(kClient, request(4));
  hear(kClient, Cancel{2});
  hear("a", TokenMade{3, 0, 8});  // it had not heard of that yet
  EXPECT_TRUE(sent_to<Submit>("a").empty()) << "nothing begins before all have said so";
  forget();
  hear("b", Retired{1, 1e9});
  EXPECT_THAT(said(), IsEmpty());
  hear("a", Retired{1, 1e9});
  const std::vector<Submit> submits = sent_to<Submit>("a");
  ASSERT_EQ(submits.size(), 3U);
  EXPECT_EQ(submits[0].request, 1);
  EXPECT_THAT(submits[0].made, ElementsAre(7));
  EXPECT_EQ(submits[1].request, 3);
  EXPECT_THAT(submits[1].made, ElementsAre(8));
  EXPECT_EQ(submits[2].request, 4);
  for (const Submit& submit : submits) EXPECT_EQ(submit.epoch, 2);
  ASSERT_EQ(sent_to<Done>(kClient).size(), 1U);
  EXPECT_EQ(sent_to<Done>(kClient)[0].ending, Ending::kCancelled);
  now_ = Seconds(3);
  hear("a", TokenMade{1, 1, 6});
  hear("a", Done{1, {7, 6}, {}});
  hear("b", Retired{1, 1e9});  // again: nobody waits for it
  EXPECT_THAT(
      [&] {
        hear("b", Retired{7, 1e9});
      },
      ThrowsMessage<WorldError>(HasSubstr("b answers nonsense: Retired of epoch 7")));
  const CoordinatorResult result = std::move(*coordinator_).result();
  ASSERT_EQ(result.moves.size(), 1U);
  EXPECT_EQ(result.moves[0].failed, "");
  EXPECT_EQ(result.moves[0].requests, 3);
  EXPECT_EQ(result.moves[0].pause_s, 3);
  EXPECT_EQ(result.moves[0].plan, "a 0-0 | b 1-5");
}

TEST_F(CoordinatorTest, ALossWhileRequestsCrossEndsTheMoveAndLosesNoToken) {
  job_.in_flight = 2;
  move_after_one(Crossing::kRebuild);
  job_.recover = [&](const Membership& left) {
    EXPECT_THAT(left.lost, UnorderedElementsAre("b"));
    Deployment next = deployment(1, 2);
    next.plan.stages = {{"a", 0, 5, {}}};
    next.plan.transfers = {};
    return next;
  };
  serve();
  for (RequestId id = 0; id < 2; ++id) hear(kClient, request(id));
  hear("a", TokenMade{1, 0, 7});
  answer(0);
  become_ready(2);
  hear("a", Retired{1, 1e9});
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
  EXPECT_THAT(result.moves[0].failed, HasSubstr("b was lost"));
  EXPECT_EQ(result.recoveries.size(), 1U);
}

TEST_F(CoordinatorTest, ReportsOfTheRunningEpochAreHandedOnAndAskedAfter) {
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
TEST_F(CoordinatorTest, ALostEndIsGivenAndLetsTheNextRequestIn) {
  job_.in_flight = 1;
  job_.recover = [&](const Membership& left) {
    EXPECT_THAT(left.lost, UnorderedElementsAre("b"));
    Deployment next = deployment(1, 2);
    next.plan.stages = {{"a", 0, 5, {}}};
    next.plan.transfers = {};
    return next;
  };
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
TEST_F(CoordinatorTest, ADeviceThatThePlanHasLeftRefusesNothing) {
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
TEST_F(CoordinatorTest, WhatTheHeaderHadSentOfARefusedRequestIsDropped) {
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
TEST_F(CoordinatorTest, AnAnswerToAProbeThatNobodyWasToSendEndsNothing) {
  begin();
  hear("b", Reached{1, "a"});
  hear("b", Reached{1, "a"});
  hear("b", Reached{0, "a"});
  become_ready(1);
  hear("b", Reached{1000, "a"});
  hear(kClient, Attach{});
  EXPECT_EQ(sent_to<Serving>(kClient).size(), 1U);
}

TEST_F(CoordinatorTest, LinksThatAreLostTogetherAreAllLeftOut) {
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

// b is lost, and a alone has no plan; c joins.
class WaitingForADevice : public CoordinatorTest {
 protected:
  WaitingForADevice() {
    job_.wait_for_devices = Seconds(30);
    job_.recover = [&](const Membership& left) {
      if (!has_c_) throw InfeasibleError("a lacks 1 GB");
      EXPECT_THAT(left.lost, UnorderedElementsAre("b"));
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

TEST_F(CoordinatorTest, ADeviceThatBeginsAnewIsLostFirst) {
  std::vector<std::set<DeviceName>> lost;
  job_.recover = [&](const Membership& left) {
    lost.push_back(left.lost);
    Deployment next = deployment(1, 2);
    next.plan.stages = {{"a", 0, 5, {}}};
    next.plan.transfers = {};
    return next;
  };
  int asked = 0;
  job_.rebalance = [&](const RunState& state) -> std::optional<Move> {
    ++asked;
    EXPECT_TRUE(state.membership->lost.empty());
    return std::nullopt;
  };
  serve();
  hear("b", Hello{{}});
  ASSERT_EQ(lost.size(), 1U);
  EXPECT_THAT(lost[0], UnorderedElementsAre("b"));
  hear("a", Lacks{2, {}, {}});
  hear("a", Ready{2, 1e9});
  hear("c", Hello{{}});
  EXPECT_EQ(asked, 1);
}

TEST_F(CoordinatorTest, ADeploymentThatFailsLeavesTheRunningOne) {
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

TEST_F(CoordinatorTest, AnAnswerOfAnotherEpochIsNonsense) {
  begin();
  EXPECT_THAT(
      [&] {
        hear("a", Lacks{2, {}, {}});
      },
      ThrowsMessage<WorldError>(HasSubstr("a answers nonsense: Lacks of epoch 2")));
  EXPECT_THAT(
      [&] {
        hear("a", WeightAck{1, "weight 0", 0});
      },
      ThrowsMessage<WorldError>(HasSubstr("answers nonsense: WeightAck")));
  hear("a", Lacks{1, {}, {}});
  EXPECT_THAT(
      [&] {
        hear("a", Lacks{1, {}, {}});
      },
      ThrowsMessage<WorldError>(HasSubstr("answers nonsense: Lacks")));
}

}  // namespace
}  // namespace lingua
