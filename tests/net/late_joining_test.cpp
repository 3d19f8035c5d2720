// Devices that join while a run goes on, for the first time or again.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "runtime/base/temporary.h"
#include "tests/net/raw_peers.h"

namespace lingua {
namespace {

using ::testing::HasSubstr;

// Peers are processes that answer what the coordinator sends, and workers of this process.
class LateJoining : public ::testing::Test {
 protected:
  LateJoining() { begin_with({}); }

  void begin_with(NetOptions options) {
    options.join_timeout = Seconds(20);
    coordinator_ = std::make_unique<NetCoordinator>(options);
  }
  Mailbox& mailbox() { return coordinator_->mailbox(); }
  pid_t start(const DeviceName& name) {
    return processes_.start(peer_process(name, coordinator_->address()));
  }
  std::unique_ptr<Device> come(const DeviceName& name) {
    return join(name, coordinator_->address(), quick(10));
  }
  // Until one of this kind comes, for ten seconds; others are dropped.
  template <class Kind>
  DeviceName next(Mailbox& at) {
    const Seconds deadline = at.now() + Seconds(10);
    while (const auto message = at.receive(deadline)) {
      if (std::holds_alternative<Kind>(message->body)) return message->from;
    }
    return "nothing has come";
  }

  std::unique_ptr<NetCoordinator> coordinator_;
  LocalProcesses processes_;
};

TEST_F(LateJoining, ARunBeginsWithSomeAndTheOthersComeLater) {
  std::unique_ptr<Device> first;
  auto joined = std::async(std::launch::async, [&] { first = come("phone2"); });
  const auto there = coordinator_->wait_for(
      {"phone1", "phone2", "phone3"}, [] {}, 1);
  joined.get();
  ASSERT_EQ(there.size(), 1U);
  EXPECT_EQ(there[0].name, "phone2");
  mailbox().send("phone3", TokenMade{});  // to one that is not there
  start("phone3");
  EXPECT_EQ(next<Hello>(mailbox()), "phone3");
  const auto last = come("phone1");
  EXPECT_EQ(next<Hello>(mailbox()), "phone1");
  // All reach each other, those that were there first and those that came.
  first->send("phone1", Probe{1});
  EXPECT_EQ(next<Probe>(*last), "phone2");
  last->send("phone2", Probe{2});
  EXPECT_EQ(next<Probe>(*first), "phone1");
  mailbox().send("phone3", TokenMade{});
  EXPECT_EQ(next<TokenMade>(mailbox()), "phone3");
}

TEST_F(LateJoining, OneThatWasLostComesAgainAndTheOthersReachItsNewProcess) {
  pid_t present = start("phone1");
  std::unique_ptr<Device> worker;
  auto joined = std::async(std::launch::async, [&] { worker = come("phone2"); });
  coordinator_->wait_for({"phone1", "phone2"}, [] {});
  joined.get();
  for (int time = 0; time < 3; ++time) {
    worker->send("phone1", Probe{1});  // so that it has a connection that breaks
    kill(present, SIGKILL);
    EXPECT_EQ(next<PeerLost>(mailbox()), "phone1");
    mailbox().send("phone1", TokenMade{});
    present = start("phone1");
    ASSERT_EQ(next<Hello>(mailbox()), "phone1") << time;
    mailbox().send("phone1", TokenMade{});
    EXPECT_EQ(next<TokenMade>(mailbox()), "phone1");
    EXPECT_FALSE(mailbox().receive(mailbox().now() + Seconds(0.1)).has_value())
        << "what was sent in between is not for the new process";
  }
}

// It computes, or the network was away, for longer than the coordinator waits.
TEST_F(LateJoining, OneThatWasTakenForLostLearnsOfIt) {
  NetOptions options;
  options.loss_timeout = Seconds(0.6);
  begin_with(options);
  const pid_t victim = start("phone1");
  coordinator_->wait_for(
      {"phone1", "phone2"}, [] {}, 1);
  kill(victim, SIGSTOP);
  EXPECT_EQ(next<PeerLost>(mailbox()), "phone1");
  kill(victim, SIGCONT);  // it ends with the loss of its coordinator
  EXPECT_TRUE(processes_.wait(Seconds(5)));
  start("phone1");
  EXPECT_EQ(next<Hello>(mailbox()), "phone1");
}

TEST_F(LateJoining, ANameInUseIsRefusedWhenItsOwnerHasShownToBeThere) {
  NetOptions options;
  options.loss_timeout = Seconds(0.6);
  begin_with(options);
  const pid_t owner = start("phone1");
  coordinator_->wait_for({"phone1"}, [] {});
  EXPECT_THAT(world_error([&] { come("phone1"); }), HasSubstr("the name 'phone1' is in use"));
  mailbox().send("phone1", TokenMade{});
  EXPECT_EQ(next<TokenMade>(mailbox()), "phone1") << "who has it keeps it";
  // It hangs, and another comes in its place before that is seen.
  kill(owner, SIGSTOP);
  const auto second = come("phone1");
  EXPECT_EQ(next<PeerLost>(mailbox()), "phone1");
  EXPECT_EQ(next<Hello>(mailbox()), "phone1");
  kill(owner, SIGCONT);
}

TEST_F(LateJoining, OneThatLeavesWhileItJoinsHoldsNobodyUp) {
  start("phone2");
  coordinator_->wait_for(
      {"phone1", "phone2", "phone3"}, [] {}, 1);
  {
    const auto context = internal::make_context();
    internal::Inbox inbox(*context, NetOptions{}, nullptr);
    RawPeer half(coordinator_->address(), join_envelope("phone1", inbox.address()));
    wire::Envelope welcome;
    welcome.mutable_welcome();
    for (int i = 0; i < 500 && half.connection().update() != internal::Connection::State::kUp;
         ++i) {
      if (const auto asked = inbox.receive()) inbox.reply(asked->identity, welcome);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    ASSERT_EQ(half.connection().state(), internal::Connection::State::kUp);
  }
  EXPECT_EQ(next<PeerLost>(mailbox()), "phone1");
  start("phone3");
  EXPECT_EQ(next<Hello>(mailbox()), "phone3");
  start("phone1");
  EXPECT_EQ(next<Hello>(mailbox()), "phone1");
}

// No other than the coordinator says who is of the run.
TEST_F(LateJoining, AWorkerTakesNoDirectoryFromAnother) {
  RawRun run;
  wire::Envelope directory;
  directory.mutable_directory();
  run.to_coordinator().send(directory);
  for (int i = 0; i < 20; ++i) {
    run.to_coordinator().update();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  const auto heard = run.coordinator.mailbox().receive(Seconds(10));
  ASSERT_TRUE(heard.has_value());
  EXPECT_THAT(std::get<PeerLost>(heard->body).reason,
              HasSubstr("only the coordinator says who listens where"));
}

TEST(LateJoiningWithKeys, NewKeysPassTheInboxesOfThoseThatAreThere) {
  TemporaryFolder folder;
  const auto admission = std::make_shared<Admission>(make_key_pair(), folder.file("known_devices"));
  NetOptions here = quick(20);
  here.key = admission->self();
  here.admission = admission;
  NetCoordinator coordinator(here);
  const auto come = [&](const DeviceName& name, const KeyPair& pair, const std::string& token) {
    NetOptions net = quick(10);
    net.key = pair;
    NetWorkerOptions options{spec_of(name), coordinator.address(), net, {}};
    options.coordinator_key = admission->self().public_key;
    options.token = token;
    return join_as_worker(options, std::make_unique<NullExecutor>());
  };
  const auto invite = [&](const DeviceName& name) {
    return admission->invite(name, std::chrono::seconds(60));
  };
  std::unique_ptr<Device> first;
  auto joined =
      std::async(std::launch::async, [&] { first = come("a", make_key_pair(), invite("a")); });
  coordinator.wait_for(
      {"a", "b"}, [] {}, 1);
  joined.get();
  EXPECT_THAT(world_error([&] { come("b", make_key_pair(), "nonsense"); }), HasSubstr("token"));
  const KeyPair own = make_key_pair();
  std::unique_ptr<Device> second = come("b", own, invite("b"));
  auto heard = coordinator.mailbox().receive(Seconds(10));
  ASSERT_TRUE(heard && std::holds_alternative<Hello>(heard->body));
  second->send("a", Probe{1});
  EXPECT_EQ(first->receive(Seconds(10))->from, "b");
  first->send("b", Probe{1});
  EXPECT_EQ(second->receive(Seconds(10))->from, "a");
  second.reset();
  heard = coordinator.mailbox().receive(Seconds(10));
  ASSERT_TRUE(heard && std::holds_alternative<PeerLost>(heard->body));
  EXPECT_THAT(world_error([&] { come("b", make_key_pair(), ""); }), HasSubstr("b"))
      << "the name is the other key's";
  second = come("b", own, "");
  heard = coordinator.mailbox().receive(coordinator.mailbox().now() + Seconds(10));
  ASSERT_TRUE(heard && std::holds_alternative<Hello>(heard->body));
}

}  // namespace
}  // namespace lingua
