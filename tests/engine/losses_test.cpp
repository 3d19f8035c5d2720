// What a recovery is told of the run, and what is noted of it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/engine/coordinator_fixture.h"

namespace lingua {
namespace {

using ::testing::ElementsAre;
using testing::kClient;
using ::testing::Pair;
using ::testing::SizeIs;

// Devices a and b run three segments each, c stores what b runs.
class Losses : public testing::CoordinatorTest {
 protected:
  Losses() {
    job_.deployment.plan.stages[0].stored_segments = {3};
    job_.deployment.plan.keepers = {{"c", {3, 4, 5}}};
    job_.recover = [this](const LossState& loss) {
      asked_.push_back(loss);
      Deployment next = deployment(1, 2);
      next.plan.stages = {{"a", 0, 5, {}}};
      next.plan.transfers = {};
      RecoveryPlan planned = next;
      planned.chosen = "anew";
      planned.forecast = RecoveryForecast{12, 3, 4};
      return planned;
    };
  }
  void serve_with_c() {
    begin();
    hear("c", Lacks{1, {}, {}});
    hear("c", Ready{1, 1e9});
    become_ready(1);
    hear(kClient, Attach{});
    forget();
  }
  void a_is_ready(Epoch epoch) {
    hear("a", Lacks{epoch, {}, {}});
    hear("a", Ready{epoch, 1e9});
  }

  std::vector<LossState> asked_;
};

TEST_F(Losses, ARecoveryIsToldWhatDevicesHoldAndWhichRequestsAreLeft) {
  serve_with_c();
  for (RequestId id = 0; id < 3; ++id) hear(kClient, request(id));
  hear("a", TokenMade{1, 0, 5});
  now_ = Seconds(7);
  hear("b", PeerLost{"gone"});
  ASSERT_THAT(asked_, SizeIs(1));
  EXPECT_EQ(asked_[0].now, Seconds(7));
  EXPECT_THAT(asked_[0].lost, ElementsAre("b"));
  EXPECT_THAT(asked_[0].held,
              ElementsAre(Pair("a", ElementsAre(0, 1, 2, 3)), Pair("c", ElementsAre(3, 4, 5))));
  std::vector<std::string> requests;
  for (const RunState::Request& one : asked_[0].requests)
    requests.push_back(fmt::format("{} + {} of {} {}", one.prompt_tokens, one.made, one.max_tokens,
                                   one.runs ? "runs" : "waits"));
  EXPECT_THAT(requests, ElementsAre("3 + 0 of 2 runs", "3 + 1 of 2 runs", "3 + 0 of 2 waits"));
}

TEST_F(Losses, WhatADeviceDroppedForAPlanThatNeverServedIsNotHeld) {
  serve_with_c();
  hear("b", PeerLost{"gone"});  // a alone prepares; c is not in that plan
  hear("c", PeerLost{"gone"});
  ASSERT_THAT(asked_, SizeIs(1)) << "nobody misses c";
  hear("a", Failed{0, "it is hot"});
  ASSERT_THAT(asked_, SizeIs(2));
  EXPECT_THAT(asked_[1].held, SizeIs(0)) << "who is lost holds nothing";
}

TEST_F(Losses, OfWhatIsHeldOnlyWhatTheNextPlanStoresStays) {
  job_.recover = [this](const LossState& loss) {
    asked_.push_back(loss);
    Deployment next = deployment(1, 2);
    next.plan.stages = {{"a", 0, 2, {}}, {"c", 3, 5, {}}};
    if (loss.lost.contains("c")) next.plan.stages = {{"a", 0, 5, {}}};
    next.plan.transfers = transfers_of(model_, next.plan.stages);
    return next;
  };
  serve_with_c();
  hear("b", PeerLost{"gone"});
  hear("c", PeerLost{"gone"});
  ASSERT_THAT(asked_, SizeIs(2));
  EXPECT_THAT(asked_[1].held, ElementsAre(Pair("a", ElementsAre(0, 1, 2))));
}

TEST_F(Losses, OneThatOnlyStoresIsLostWithoutARecovery) {
  serve_with_c();
  hear(kClient, request(0));
  forget();
  hear("c", PeerLost{"gone"});
  EXPECT_THAT(asked_, SizeIs(0));
  EXPECT_THAT(said(), SizeIs(0));
  answer(0);
  EXPECT_THAT(sent_to<Done>(kClient), SizeIs(1));
  hear("b", PeerLost{"gone"});
  ASSERT_THAT(asked_, SizeIs(1));
  EXPECT_THAT(asked_[0].lost, ElementsAre("b", "c"));
  EXPECT_THAT(asked_[0].held, ElementsAre(Pair("a", ElementsAre(0, 1, 2, 3))));
}

TEST_F(Losses, OneThatOnlyStoredAndComesBackHasNothing) {
  serve_with_c();
  hear(kClient, request(0));
  hear("c", PeerLost{"gone"});
  hear("c", Hello{{}});
  hear("b", PeerLost{"gone"});
  ASSERT_THAT(asked_, SizeIs(1));
  EXPECT_THAT(asked_[0].lost, ElementsAre("b"));
  EXPECT_THAT(asked_[0].held, ElementsAre(Pair("a", ElementsAre(0, 1, 2, 3))));
}

TEST_F(Losses, WhatWasPredictedAndWhatCameTrueAreNoted) {
  serve_with_c();
  hear(kClient, request(0));
  hear(kClient, request(1));
  hear("a", TokenMade{0, 0, 5});
  now_ = Seconds(1);
  hear("b", PeerLost{"gone"});
  now_ = Seconds(3);
  a_is_ready(2);
  now_ = Seconds(4);
  hear("a", TokenMade{0, 1, 6});
  hear("a", Done{0, {5, 6}, {}});
  now_ = Seconds(6);
  hear("a", TokenMade{1, 0, 5});
  now_ = Seconds(9);
  hear("a", TokenMade{1, 1, 6});
  hear("a", Done{1, {5, 6}, {}});
  const CoordinatorResult result = std::move(*coordinator_).result();
  ASSERT_THAT(result.recoveries, SizeIs(1));
  const Recovery& recovery = result.recoveries[0];
  EXPECT_EQ(recovery.lost, Seconds(1));
  EXPECT_EQ(recovery.ready, Seconds(3));
  EXPECT_EQ(recovery.resumed, Seconds(6)) << "the last of both";
  EXPECT_EQ(recovery.requests, 2);
  EXPECT_EQ(recovery.chosen, "anew");
  EXPECT_EQ(recovery.forecast->rebuild_s, 4);
}

TEST_F(Losses, ARequestThatIsCancelledMeanwhileIsNotWaitedFor) {
  serve_with_c();
  hear(kClient, request(0));
  hear(kClient, request(1));
  hear("b", PeerLost{"gone"});
  hear(kClient, Cancel{0});
  a_is_ready(2);
  now_ = Seconds(5);
  hear("a", TokenMade{1, 0, 5});
  EXPECT_EQ(std::move(*coordinator_).result().recoveries.at(0).resumed, Seconds(5));
}

}  // namespace
}  // namespace lingua
