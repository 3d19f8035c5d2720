#include "runtime/net/net_device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>

#include "tests/net/raw_peers.h"

namespace lingua {
namespace {

using ::testing::HasSubstr;

// What the coordinator is told next of a loss.
std::optional<Message> next_loss(Mailbox& device, Seconds within) {
  const Seconds deadline = device.now() + within;
  while (auto message = device.receive(deadline)) {
    if (std::holds_alternative<PeerLost>(message->body)) return message;
  }
  return std::nullopt;
}

// A worker whose user computes and does not listen; and what it is told then.
struct DeafWorker {
  explicit DeafWorker(NetCoordinator& coordinator) {
    auto joined = std::async(std::launch::async, [&] {
      NetWorkerOptions options{spec_of("deaf"), coordinator.address(), {}, {}};
      options.on_unheard_end = [this](const std::string& reason) { told.set_value(reason); };
      return join_as_worker(options, std::make_unique<NullExecutor>());
    });
    coordinator.wait_for({"deaf"}, [] {});
    device = joined.get();
  }
  bool is_told_within(double seconds) {
    return reason.wait_for(std::chrono::duration<double>(seconds)) == std::future_status::ready;
  }

  std::promise<std::string> told;
  std::future<std::string> reason = told.get_future();
  std::unique_ptr<Device> device;
};

TEST(UnheardEnd, OfAStopIsToldWithinASecond) {
  NetCoordinator coordinator({});
  DeafWorker worker(coordinator);
  coordinator.mailbox().send("deaf", AskTelemetry{});
  EXPECT_FALSE(worker.is_told_within(1)) << "other messages may wait";
  coordinator.mailbox().send("deaf", Stop{});
  ASSERT_TRUE(worker.is_told_within(1));
  EXPECT_EQ(worker.reason.get(), "");
}

TEST(UnheardEnd, OfALostCoordinatorIsToldWithTheReason) {
  auto coordinator = std::make_unique<NetCoordinator>(NetOptions{});
  DeafWorker worker(*coordinator);
  coordinator.reset();
  ASSERT_TRUE(worker.is_told_within(3));
  EXPECT_NE(worker.reason.get(), "");
}

TEST(UnheardEnd, IsNotToldToWhoListens) {
  NetCoordinator coordinator({});
  DeafWorker worker(coordinator);
  coordinator.mailbox().send("deaf", Stop{});
  EXPECT_TRUE(worker.device->receive(worker.device->now() + Seconds(5)));
  EXPECT_FALSE(worker.is_told_within(1));
}

TEST(NetDevice, OrderHoldsUnderLoad) {
  NetCoordinator coordinator({});
  constexpr int kMessages = 20000;
  const auto flood = [&](const DeviceName& name) {
    const auto device = join(name, coordinator.address());
    for (int i = 0; i < kMessages; ++i) device->send(kCoordinator, TokenMade{0, i, 1});
    device->receive(device->now() + Seconds(60));
  };
  std::thread a(flood, "a");
  std::thread b(flood, "b");
  coordinator.wait_for({"a", "b"}, [] {});
  std::map<DeviceName, std::int64_t> heard;
  for (int i = 0; i < 2 * kMessages; ++i) {
    const auto message = coordinator.mailbox().receive(coordinator.mailbox().now() + Seconds(60));
    ASSERT_TRUE(message.has_value());
    ASSERT_EQ(std::get<TokenMade>(message->body).index, heard[message->from]++);
  }
  for (const char* name : {"a", "b"}) coordinator.mailbox().send(name, Stop{});
  a.join();
  b.join();
}

TEST(NetDevice, AKilledPeerIsLostWithinASecondAndOnce) {
  NetCoordinator coordinator({});
  LocalProcesses processes;
  const pid_t victim = processes.start(peer_process("phone1", coordinator.address()));
  processes.start(peer_process("phone2", coordinator.address()));
  coordinator.wait_for({"phone1", "phone2"}, [&] { processes.check(); });
  Mailbox& device = coordinator.mailbox();
  const Seconds killed = device.now();
  kill(victim, SIGKILL);
  const auto loss = next_loss(device, Seconds(1));
  ASSERT_TRUE(loss.has_value());
  EXPECT_EQ(loss->from, "phone1");
  EXPECT_LT(loss->arrived - killed, Seconds(1));
  EXPECT_FALSE(next_loss(device, Seconds(0.5)).has_value());
  device.send("phone1", TokenMade{});
  device.send("phone2", TokenMade{});
  EXPECT_EQ(device.receive(device.now() + Seconds(10))->from, "phone2");
}

TEST(NetDevice, AWorkerHearsOfTheLossOfAWorkerItSentTo) {
  NetCoordinator coordinator({});
  LocalProcesses processes;
  const pid_t victim = processes.start(peer_process("phone1", coordinator.address()));
  auto joined =
      std::async(std::launch::async, [&] { return join("phone2", coordinator.address()); });
  coordinator.wait_for({"phone1", "phone2"}, [&] { processes.check(); });
  const auto worker = joined.get();
  worker->send("phone1", TokenMade{});  // it answers to the coordinator
  ASSERT_TRUE(coordinator.mailbox().receive(Seconds(10)).has_value());
  kill(victim, SIGKILL);
  const auto loss = next_loss(*worker, Seconds(1));
  ASSERT_TRUE(loss.has_value());
  EXPECT_EQ(loss->from, "phone1");
  EXPECT_FALSE(next_loss(*worker, Seconds(0.3)).has_value());
}

// One peer, whose silence of 0.8 s is a loss.
class PeerThatHangs : public ::testing::Test {
 protected:
  PeerThatHangs() {
    NetOptions options;
    options.loss_timeout = Seconds(0.8);
    coordinator_.emplace(options);
    victim_ = processes_.start(peer_process("phone1", coordinator_->address()));
    coordinator_->wait_for({"phone1"}, [&] { processes_.check(); });
  }

  std::optional<NetCoordinator> coordinator_;
  LocalProcesses processes_;
  pid_t victim_ = -1;
};

TEST_F(PeerThatHangs, MissesHeartbeatsAndIsLost) {
  EXPECT_FALSE(next_loss(coordinator_->mailbox(), Seconds(1.5)).has_value());
  kill(victim_, SIGSTOP);
  EXPECT_TRUE(next_loss(coordinator_->mailbox(), Seconds(2)).has_value());
  kill(victim_, SIGCONT);
}

// Its kernel takes what fits its buffers, and confirms it.
TEST_F(PeerThatHangs, InALargeMessageIsLost) {
  kill(victim_, SIGSTOP);
  Activations large;
  large.values = {0};
  large.tensors = {{DType::kUInt8, {64 << 20}, allocate_bytes(64 << 20)}};
  coordinator_->mailbox().send("phone1", large);
  EXPECT_TRUE(next_loss(coordinator_->mailbox(), Seconds(3)).has_value());
  kill(victim_, SIGCONT);
}

TEST(NetDevice, AWorkerHearsThatItsCoordinatorIsGone) {
  LocalProcesses processes;
  {
    NetCoordinator coordinator({});
    processes.start(peer_process("phone1", coordinator.address()));
    coordinator.wait_for({"phone1"}, [&] { processes.check(); });
  }
  EXPECT_TRUE(processes.wait(Seconds(5)));
}

TEST(NetDevice, TheLastWordsOfAProcessArriveBeforeItsLoss) {
  NetCoordinator coordinator({});
  LocalProcesses processes;
  processes.start(peer_process("phone1", coordinator.address()));
  coordinator.wait_for({"phone1"}, [&] { processes.check(); });
  Mailbox& device = coordinator.mailbox();
  device.send("phone1", AskEvents{});
  const Seconds deadline = device.now() + Seconds(20);
  EXPECT_TRUE(std::holds_alternative<Activations>(device.receive(deadline)->body));
  EXPECT_TRUE(std::holds_alternative<Events>(device.receive(deadline)->body));
  EXPECT_TRUE(std::holds_alternative<PeerLost>(device.receive(deadline)->body));
}

TEST(NetDevice, AStopReachesWorkersThoughTheCoordinatorEndsAtOnce) {
  LocalProcesses processes;
  {
    NetCoordinator coordinator({});
    for (const char* name : {"phone1", "phone2"}) {
      processes.start(peer_process(name, coordinator.address()));
    }
    coordinator.wait_for({"phone1", "phone2"}, [&] { processes.check(); });
    for (const char* name : {"phone1", "phone2"}) coordinator.mailbox().send(name, Stop{});
  }
  EXPECT_TRUE(processes.wait(Seconds(5)));
}

TEST(NetDevice, EndingIsBoundedWhenAPeerHangs) {
  LocalProcesses processes;
  pid_t victim = 0;
  const auto begin = std::chrono::steady_clock::now();
  {
    NetCoordinator coordinator({});
    victim = processes.start(peer_process("phone1", coordinator.address()));
    coordinator.wait_for({"phone1"}, [&] { processes.check(); });
    kill(victim, SIGSTOP);
    coordinator.mailbox().send("phone1", Stop{});
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(6));
  kill(victim, SIGCONT);
}

TEST(NetDevice, APeerThatSendsNonsenseIsLost) {
  RawRun run;
  run.to_coordinator().send({text_frame("\xff\xff\xff nonsense")});
  const auto loss = next_loss(run.coordinator.mailbox(), Seconds(5));
  ASSERT_TRUE(loss.has_value());
  EXPECT_EQ(loss->from, "raw");
  EXPECT_THAT(std::get<PeerLost>(loss->body).reason,
              HasSubstr("answers nonsense: message: frame 0"));
  run.to_coordinator().send({text_frame("more")});
  EXPECT_FALSE(next_loss(run.coordinator.mailbox(), Seconds(0.3)).has_value());
}

TEST(NetDevice, APeerThatSpeaksForTheTransportIsLost) {
  RawRun run;
  Message message;
  message.body = PeerLost{"trust me"};
  run.to_coordinator().send(encode(message));
  const auto loss = next_loss(run.coordinator.mailbox(), Seconds(5));
  ASSERT_TRUE(loss.has_value());
  EXPECT_THAT(std::get<PeerLost>(loss->body).reason, HasSubstr("answers nonsense"));
}

// A deployment may name it.
TEST(NetDevice, WhatIsForADeviceThatTheRunDoesNotHaveIsRefused) {
  RawRun run;
  EXPECT_THAT(world_error([&] { run.coordinator.mailbox().send("nobody", Stop{}); }),
              HasSubstr("no device 'nobody'"));
}

TEST(NetDevice, AStrangerIsIgnored) {
  RawRun run;
  Message message;
  message.body = TokenMade{1, 2, 3};
  wire::Envelope introduction;
  introduction.mutable_introduce()->set_name("raw");
  introduction.mutable_introduce()->set_key(4711);
  RawPeer stranger(run.coordinator.address(), introduction);
  stranger.connection().send(encode(message));
  EXPECT_EQ(stranger.settle(), internal::Connection::State::kDown);
  EXPECT_THAT(stranger.connection().reason(), HasSubstr("says it is 'raw' and is not"));
  BareSocket web(run.coordinator.address());
  web.send("GET / HTTP/1.1\r\n\r\n");
  BareSocket uninvited(run.coordinator.address());
  uninvited.greet();
  uninvited.send(zmq_frame(std::string(encode(message).front().bytes)));
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  message.body = TokenMade{7, 7, 7};
  run.to_coordinator().send(encode(message));
  const auto heard = run.coordinator.mailbox().receive(Seconds(10));
  ASSERT_TRUE(heard.has_value());
  EXPECT_EQ(heard->from, "raw");
  EXPECT_EQ(std::get<TokenMade>(heard->body).request, 7);
}

// ZeroMQ holds a message of many parts until its last part has come.
TEST(NetDevice, AStrangersMessageWithoutEndTakesNoMemory) {
  RawRun run;
  const double before = resident_mb();
  std::string small;
  for (int i = 0; i < 20000; ++i) small.append("\1\1x", 3);
  std::string large("\3\0\0\0\0\0\x10\0\0", 9);  // a part of 1 MiB, and there is more
  large.resize(large.size() + (1 << 20), 'x');
  const std::string huge("\3\0\0\0\0\x40\0\0\0", 9);  // of 1 GiB
  for (const auto& [first, rest] : {std::pair{small, small}, std::pair{large, large},
                                    std::pair{huge, std::string(1 << 20, 'x')}}) {
    BareSocket stranger(run.coordinator.address());
    stranger.send(zmq_greeting() + first);
    double most = 0;
    for (int i = 0; i < 500 && stranger.send(rest); ++i) most = std::max(most, resident_mb());
    EXPECT_LT(most - before, 50);
    EXPECT_TRUE(stranger.closed_within(2000));
  }
}

// A descriptor's number is used again, and what came over a connection that is gone is heard after that.
TEST(Inbox, AConnectionIsNotTakenForTheOneBeforeIt) {
  const auto context = internal::make_context();
  internal::Inbox inbox(*context, NetOptions{}, nullptr);
  const auto pause = [] { std::this_thread::sleep_for(std::chrono::milliseconds(100)); };
  {
    BareSocket gone(inbox.endpoint());
    gone.greet();
    gone.send(zmq_frame("gone"));
    pause();
  }
  pause();
  BareSocket there(inbox.endpoint());
  there.greet();
  there.send(zmq_frame("there"));
  pause();
  std::map<std::string, std::string> identities;
  for (int i = 0; i < 100 && identities.size() < 2; ++i) {
    const auto incoming = inbox.receive();
    if (incoming) {
      identities[std::string(incoming->frames.at(0).bytes)] = incoming->identity;
    } else {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
  ASSERT_EQ(identities.size(), 2U);
  EXPECT_TRUE(inbox.is_open(identities.at("there")));
  EXPECT_FALSE(inbox.is_open(identities.at("gone")));
}

TEST(NetDevice, IdleStrangersLeaveRoomForOthers) {
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  NetCoordinator coordinator(quick(30));
  rlimit few = before;
  few.rlim_cur = 1024;  // 600 idle connections take two each, were they kept
  setrlimit(RLIMIT_NOFILE, &few);
  LocalProcesses processes;
  auto joined = std::async(std::launch::async,
                           [&] { return coordinator.wait_for({"phone1"}, [] {}).size(); });
  std::vector<std::unique_ptr<BareSocket>> idle;
  for (int i = 0; i < 600; ++i) {
    idle.push_back(std::make_unique<BareSocket>(coordinator.address()));
    if (idle.size() > 300) idle.erase(idle.begin());
  }
  processes.start(peer_process("phone1", coordinator.address()));
  EXPECT_EQ(joined.get(), 1U);
  setrlimit(RLIMIT_NOFILE, &before);
}

TEST(NetDevice, ManyConnectionsAtOnceNeitherEndNorDelayARun) {
  RawRun run;
  std::vector<std::unique_ptr<BareSocket>> idle;
  for (int i = 0; i < 400; ++i) {
    idle.push_back(std::make_unique<BareSocket>(run.coordinator.address()));
  }
  Message message;
  message.body = TokenMade{7, 7, 7};
  run.to_coordinator().send(encode(message));
  const auto heard =
      run.coordinator.mailbox().receive(run.coordinator.mailbox().now() + Seconds(5));
  ASSERT_TRUE(heard.has_value());
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  int closed = 0;
  for (const auto& socket : idle) closed += socket->closed_within(0) ? 1 : 0;
  EXPECT_GE(closed, 100) << "all but 256 at most";
}

TEST(NetDevice, APeerMayBeSilentForLongAndAStrangerMayNot) {
  NetOptions options;
  options.loss_timeout = Seconds(0.5);
  NetCoordinator coordinator(options);
  LocalProcesses processes;
  processes.start(peer_process("phone1", coordinator.address()));
  coordinator.wait_for({"phone1"}, [&] { processes.check(); });
  BareSocket stranger(coordinator.address());
  EXPECT_FALSE(next_loss(coordinator.mailbox(), Seconds(6.5)).has_value());
  EXPECT_TRUE(stranger.closed_within(0));
}

TEST(NetDevice, TimesOfAnotherAreHeldToWhatCanBe) {
  RawRun run;
  for (double sent : {-5.0, 1e300}) {
    Message message;
    message.body = TokenMade{7, 7, 7};
    message.sent = Seconds(sent);
    run.to_coordinator().send(encode(message));
    const auto heard = run.coordinator.mailbox().receive(Seconds(10));
    ASSERT_TRUE(heard.has_value());
    EXPECT_GE(heard->sent, Seconds(0));
    EXPECT_LE(heard->sent, heard->arrived);
  }
}

}  // namespace
}  // namespace lingua
