#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/errors.h"
#include "tests/engine/coordinator_fixture.h"

namespace lingua {
namespace {

using testing::CoordinatorTest;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::kClient;
using ::testing::ThrowsMessage;
using ::testing::UnorderedElementsAre;

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

// What runs may have its prompt still to come, which is longer than that of the next.
TEST_F(CoordinatorTest, ARequestWaitsWhileThoseThatRunNeedTheRoomForTheirSteps) {
  job_.in_flight = 10;
  begin();
  Submit large = request(0);
  large.inputs = {make_int64_tensor(std::vector<std::int64_t>(50, 1))};
  large.capacity = 52;
  double prompt = 0;
  for (const Segment& segment : model_.segments)
    prompt = std::max(prompt, segment.activation_bytes({50, 0}));
  const double states_of_small = 3 * 8 * 5;
  become_ready(1, 3 * 8 * 52 + prompt + states_of_small - 1);
  hear(kClient, Attach{});
  forget();
  hear(kClient, large);
  hear(kClient, request(1));
  EXPECT_THAT(said(), ElementsAre("a: Submit of request 0"));
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
      ThrowsMessage<WorldError>(HasSubstr("a answers nonsense: it has not said what it lacks")));
  hear("a", Lacks{1, {}, {}});
  EXPECT_THAT(
      [&] {
        hear("a", Lacks{1, {}, {}});
      },
      ThrowsMessage<WorldError>(HasSubstr("answers nonsense: Lacks")));
}

}  // namespace
}  // namespace lingua
