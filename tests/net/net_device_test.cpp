#include "runtime/net/net_device.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <future>
#include <thread>

#include "runtime/base/errors.h"
#include "runtime/net/address.h"
#include "runtime/net/joining.h"
#include "runtime/net/local_processes.h"
#include "tests/net/null_executor.h"

namespace lingua {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

NetOptions quick(double join_timeout_s = 0.3) {
  NetOptions options;
  options.join_timeout = Seconds(join_timeout_s);
  return options;
}

template <class Function>
std::string world_error(Function function) {
  try {
    function();
  } catch (const WorldError& error) {
    return error.what();
  }
  return "no error";
}

std::unique_ptr<Device> join(const DeviceName& name, const std::string& address,
                             const NetOptions& options = {}) {
  return join_as_worker({spec_of(name), address, options, {}}, std::make_unique<NullExecutor>());
}

LocalProcess peer_process(const DeviceName& name, const std::string& address) {
  return {name, {NET_PEER, name, address}, {}, {}};
}

// What the coordinator is told next of a loss.
std::optional<Message> next_loss(Device& device, Seconds within) {
  const Seconds deadline = device.now() + within;
  while (auto message = device.receive(deadline)) {
    if (std::holds_alternative<PeerLost>(message->body)) return message;
  }
  return std::nullopt;
}

// A worker of which the test holds the bare sockets.
struct RawRun {
  RawRun() {
    auto joined = std::async(std::launch::async, [this] {
      NetWorkerOptions options;
      options.spec = spec_of("raw");
      options.coordinator = coordinator.address();
      return internal::join(options);
    });
    coordinator.wait_for({"raw"}, [] {});
    raw = joined.get();
  }

  internal::Connection& to_coordinator() { return *raw.connections.at(kCoordinator); }

  NetCoordinator coordinator{NetOptions{}};
  internal::Membership raw;
};

Frame text_frame(const std::string& text) {
  auto owner = std::make_shared<const std::string>(text);
  return {*owner, owner};
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
  coordinator.device().send("deaf", AskTelemetry{});
  EXPECT_FALSE(worker.is_told_within(1)) << "other messages may wait";
  coordinator.device().send("deaf", Stop{});
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
  coordinator.device().send("deaf", Stop{});
  EXPECT_TRUE(worker.device->receive(worker.device->now() + Seconds(5)));
  EXPECT_FALSE(worker.is_told_within(1));
}

TEST(NetAddress, AcceptsHostsAndPortsAndNothingElse) {
  EXPECT_EQ(internal::parse_address("tcp://phone-1.local:80").host, "phone-1.local");
  EXPECT_EQ(internal::parse_listen_address("tcp://*:*").port, "*");
  for (const char* text :
       {"", "tcp://", "tcp://:1", "tcp://a", "tcp://a:", "tcp://a:0", "tcp://a:65536", "tcp://a:1x",
        "tcp://a b:1", "tcp://*:1", "udp://a:1", "a:1", "tcp://a:*"}) {
    EXPECT_THROW(internal::parse_address(text), WorldError) << text;
  }
}

TEST(NetAddress, AnInboxOnAllInterfacesIsAdvertisedByTheWayToTheCoordinator) {
  NetOptions options;
  options.listen = "tcp://*:*";
  EXPECT_EQ(internal::advertised_address(options, 5000, "127.0.0.1"), "tcp://127.0.0.1:5000");
  options.advertise = "phone1.lan";
  EXPECT_EQ(internal::advertised_address(options, 5000, "127.0.0.1"), "tcp://phone1.lan:5000");
}

TEST(NetCoordinator, SaysThatThePortIsInUse) {
  NetCoordinator first({});
  NetOptions options;
  options.listen = first.address();
  EXPECT_THAT(world_error([&] { NetCoordinator second(options); }),
              AllOf(HasSubstr(first.address()), HasSubstr("address already in use")));
}

TEST(NetCoordinator, RefusesAnAddressThatIsNone) {
  NetOptions options;
  options.listen = "127.0.0.1:80";
  EXPECT_THAT(world_error([&] { NetCoordinator c(options); }),
              AllOf(HasSubstr("'127.0.0.1:80'"), HasSubstr("tcp://HOST:PORT")));
  options.listen = "tcp://203.0.113.7:*";
  EXPECT_THAT(world_error([&] { NetCoordinator c(options); }), HasSubstr("cannot listen"));
}

TEST(NetCoordinator, NamesWhoIsMissingWhenTheTimeIsOver) {
  NetCoordinator coordinator(quick(1));
  auto worker = std::async(std::launch::async, [&] {
    return world_error([&] { join("phone1", coordinator.address(), quick(2)); });
  });
  EXPECT_THAT(world_error([&] {
                coordinator.wait_for({"phone1", "phone2"}, [] {});
              }),
              AllOf(HasSubstr("1 of 2"), HasSubstr("phone2 missing")));
}

TEST(NetCoordinator, AsksWhetherLocalWorkersLiveWhileItWaits) {
  NetCoordinator coordinator({});
  const auto dead = [] { throw WorldError("worker phone1 was killed"); };
  EXPECT_EQ(world_error([&] { coordinator.wait_for({"phone1"}, dead); }),
            "worker phone1 was killed");
}

TEST(NetCoordinator, RefusesANameThatJoinsTwice) {
  NetCoordinator coordinator({});
  const auto second = [&] {
    return world_error([&] { join("phone1", coordinator.address(), quick(2)); });
  };
  auto a = std::async(std::launch::async, second);
  auto b = std::async(std::launch::async, second);
  EXPECT_THAT(world_error([&] {
                coordinator.wait_for({"phone1", "phone2"}, [] {});
              }),
              HasSubstr("'phone1' joins twice"));
}

TEST(NetCoordinator, RefusesADeviceThatTheRunDoesNotHave) {
  NetCoordinator coordinator(quick());
  auto worker = std::async(std::launch::async, [&] {
    return world_error([&] { join("tablet", coordinator.address()); });
  });
  EXPECT_THAT(world_error([&] { coordinator.wait_for({"phone1"}, [] {}); }),
              HasSubstr("phone1 missing"));
  EXPECT_THAT(worker.get(), AllOf(HasSubstr("no device 'tablet'"), HasSubstr("phone1")));
}

TEST(NetCoordinator, RefusesAnotherVersionOfTheProtocolOnBothSides) {
  NetCoordinator coordinator({});
  zmq::context_t context;
  internal::Connection worker(context, coordinator.address(), Seconds(3));
  wire::Envelope join;
  join.mutable_join()->set_protocol(kWireProtocol + 1);
  join.mutable_join()->mutable_spec()->set_name("phone1");
  worker.send(join);
  EXPECT_THAT(world_error([&] { coordinator.wait_for({"phone1"}, [] {}); }),
              AllOf(HasSubstr("phone1"), HasSubstr(fmt::format("protocol {}", kWireProtocol + 1)),
                    HasSubstr("install the same version")));
  std::optional<internal::Incoming> answer;
  for (int i = 0; i < 500 && !answer; ++i) {
    answer = worker.receive();
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  ASSERT_TRUE(answer.has_value());
  wire::Envelope refusal;
  internal::parse_envelope(answer->frames.at(0).bytes, &refusal);
  EXPECT_TRUE(refusal.has_refused());
  EXPECT_THAT(refusal.refused().reason(), HasSubstr("install the same version"));
}

TEST(NetCoordinator, RefusesWhoComesWhenTheRunHasBegun) {
  RawRun run;
  EXPECT_THAT(world_error([&] { join("late", run.coordinator.address()); }),
              HasSubstr("the run has begun"));
}

TEST(NetWorker, SaysThatNobodyIsThere) {
  std::string address;
  { address = NetCoordinator({}).address(); }
  EXPECT_THAT(world_error([&] { join("phone1", address, quick()); }),
              AllOf(HasSubstr(address), HasSubstr("nobody accepts connections")));
}

TEST(NetWorker, SaysThatTheOthersAreMissing) {
  NetCoordinator coordinator({});
  auto worker = std::async(std::launch::async, [&] {
    return world_error([&] { join("phone1", coordinator.address(), quick()); });
  });
  NetOptions options;
  const auto stop = [&] {
    if (worker.wait_for(std::chrono::seconds(0)) == std::future_status::ready)
      throw WorldError("over");
  };
  EXPECT_THAT(world_error([&] {
                coordinator.wait_for({"phone1", "phone2"}, stop);
              }),
              ::testing::AnyOf(HasSubstr("over"), HasSubstr("'phone1' was lost while joining")));
  EXPECT_THAT(worker.get(), HasSubstr("did not tell that all devices have joined"));
}

TEST(NetWorker, IsGivenAtItsCoordinatorAsItIs) {
  NetCoordinator coordinator({});
  NetOptions everywhere;
  everywhere.listen = "tcp://*:*";
  auto joined = std::async(std::launch::async,
                           [&] { return join("phone1", coordinator.address(), everywhere); });
  const auto specs = coordinator.wait_for({"phone1"}, [] {});
  const auto worker = joined.get();
  ASSERT_EQ(specs.size(), 1U);
  EXPECT_EQ(specs[0].name, "phone1");
  EXPECT_EQ(specs[0].flops_per_s, 1e9);
  EXPECT_NEAR(worker->now().count(), coordinator.device().now().count(), 0.005);
  EXPECT_GT(worker->telemetry().free_memory_bytes, 0);
  EXPECT_GE(worker->telemetry().load, 0);
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
    const auto message = coordinator.device().receive(coordinator.device().now() + Seconds(60));
    ASSERT_TRUE(message.has_value());
    ASSERT_EQ(std::get<TokenMade>(message->body).index, heard[message->from]++);
  }
  for (const char* name : {"a", "b"}) coordinator.device().send(name, Stop{});
  a.join();
  b.join();
}

TEST(NetDevice, AKilledPeerIsLostWithinASecondAndOnce) {
  NetCoordinator coordinator({});
  LocalProcesses processes;
  const pid_t victim = processes.start(peer_process("phone1", coordinator.address()));
  processes.start(peer_process("phone2", coordinator.address()));
  coordinator.wait_for({"phone1", "phone2"}, [&] { processes.check(); });
  Device& device = coordinator.device();
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
  ASSERT_TRUE(coordinator.device().receive(Seconds(10)).has_value());
  kill(victim, SIGKILL);
  const auto loss = next_loss(*worker, Seconds(1));
  ASSERT_TRUE(loss.has_value());
  EXPECT_EQ(loss->from, "phone1");
  EXPECT_FALSE(next_loss(*worker, Seconds(0.3)).has_value());
}

TEST(NetDevice, APeerThatHangsMissesHeartbeatsAndIsLost) {
  NetOptions options;
  options.loss_timeout = Seconds(0.8);
  NetCoordinator coordinator(options);
  LocalProcesses processes;
  const pid_t victim = processes.start(peer_process("phone1", coordinator.address()));
  coordinator.wait_for({"phone1"}, [&] { processes.check(); });
  EXPECT_FALSE(next_loss(coordinator.device(), Seconds(1.5)).has_value());
  kill(victim, SIGSTOP);
  EXPECT_TRUE(next_loss(coordinator.device(), Seconds(2)).has_value());
  kill(victim, SIGCONT);
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
  Device& device = coordinator.device();
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
    for (const char* name : {"phone1", "phone2"}) coordinator.device().send(name, Stop{});
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
    coordinator.device().send("phone1", Stop{});
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(6));
  kill(victim, SIGCONT);
}

TEST(NetDevice, APeerThatSendsNonsenseIsLost) {
  RawRun run;
  run.to_coordinator().send({text_frame("\xff\xff\xff nonsense")});
  const auto loss = next_loss(run.coordinator.device(), Seconds(5));
  ASSERT_TRUE(loss.has_value());
  EXPECT_EQ(loss->from, "raw");
  EXPECT_THAT(std::get<PeerLost>(loss->body).reason,
              HasSubstr("answers nonsense: message: frame 0"));
  run.to_coordinator().send({text_frame("more")});
  EXPECT_FALSE(next_loss(run.coordinator.device(), Seconds(0.3)).has_value());
}

TEST(NetDevice, APeerThatSpeaksForTheTransportIsLost) {
  RawRun run;
  Message message;
  message.body = PeerLost{"trust me"};
  run.to_coordinator().send(encode(message));
  const auto loss = next_loss(run.coordinator.device(), Seconds(5));
  ASSERT_TRUE(loss.has_value());
  EXPECT_THAT(std::get<PeerLost>(loss->body).reason, HasSubstr("answers nonsense"));
}

TEST(NetDevice, AStrangerIsIgnored) {
  RawRun run;
  zmq::context_t context;
  internal::Connection stranger(context, run.coordinator.address(), Seconds(3));
  stranger.send({text_frame("GET / HTTP/1.1")});
  Message message;
  message.body = TokenMade{1, 2, 3};
  stranger.send(encode(message));
  wire::Envelope introduction;
  introduction.mutable_introduce()->set_name("raw");
  introduction.mutable_introduce()->set_key(4711);
  stranger.send(introduction);
  stranger.send(encode(message));
  message.body = TokenMade{7, 7, 7};
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  run.to_coordinator().send(encode(message));
  const auto heard = run.coordinator.device().receive(Seconds(10));
  ASSERT_TRUE(heard.has_value());
  EXPECT_EQ(heard->from, "raw");
  EXPECT_EQ(std::get<TokenMade>(heard->body).request, 7);
}

TEST(NetDevice, TimesOfAnotherAreHeldToWhatCanBe) {
  RawRun run;
  for (double sent : {-5.0, 1e300}) {
    Message message;
    message.body = TokenMade{7, 7, 7};
    message.sent = Seconds(sent);
    run.to_coordinator().send(encode(message));
    const auto heard = run.coordinator.device().receive(Seconds(10));
    ASSERT_TRUE(heard.has_value());
    EXPECT_GE(heard->sent, Seconds(0));
    EXPECT_LE(heard->sent, heard->arrived);
  }
}

}  // namespace
}  // namespace lingua
