// How processes come together, and who is kept out.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "tests/net/raw_peers.h"

namespace lingua {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

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

TEST(NetCoordinator, RefusesANameThatJoinsTwiceAndGoesOn) {
  NetCoordinator coordinator(quick(20));
  auto first =
      std::async(std::launch::async, [&] { return join("phone1", coordinator.address()); });
  std::promise<std::string> refused;
  auto others = std::async(std::launch::async, [&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    refused.set_value(world_error([&] { join("phone1", coordinator.address()); }));
    return join("phone2", coordinator.address());
  });
  EXPECT_EQ(coordinator.wait_for({"phone1", "phone2"}, [] {}).size(), 2U);
  EXPECT_THAT(refused.get_future().get(), HasSubstr("the name 'phone1' is in use"));
  EXPECT_NE(others.get(), nullptr);
  EXPECT_NE(first.get(), nullptr);
}

TEST(NetCoordinator, NothingThatAStrangerSendsEndsAJoiningRun) {
  NetOptions options = quick(40);
  options.loss_timeout = Seconds(0.2);  // a connection that nobody takes is given up then
  NetCoordinator coordinator(options);
  const std::string nobody = unused_address();
  std::vector<std::string> reasons;
  std::unique_ptr<Device> worker;
  auto others = std::async(std::launch::async, [&] {
    for (const std::string& listens_at :
         {nobody, std::string("ipc:///tmp/x"), std::string("tcp://*:1"), std::string("inproc://a"),
          std::string("tcp://no.such.host.invalid:99"), std::string("tcp://255.255.255.255:9"),
          std::string(""), coordinator.address()}) {
      RawPeer peer(coordinator.address(), join_envelope("phone1", listens_at));
      peer.settle();
      reasons.push_back(peer.connection().reason());
    }
    BareSocket http(coordinator.address());
    http.send("GET / HTTP/1.1\r\n\r\n");
    Message message;
    message.body = Stop{};
    wire::Envelope stop;
    internal::parse_envelope(encode(message).front().bytes, &stop);
    RawPeer peer(coordinator.address(), stop);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    peer.connection().update();
    worker = join("phone1", coordinator.address());
  });
  EXPECT_EQ(coordinator.wait_for({"phone1"}, [] {}).size(), 1U);
  others.get();
  EXPECT_THAT(reasons, ::testing::Each(::testing::AnyOf(HasSubstr("listens nowhere"),
                                                        HasSubstr("cannot be taken in"))));
}

TEST(NetCoordinator, AWorkerThatIsLostWhileOthersJoinMayComeAgain) {
  NetCoordinator coordinator(quick(20));
  LocalProcesses processes;
  std::vector<std::future<std::unique_ptr<Device>>> joined;
  const pid_t victim = processes.start(peer_process("phone1", coordinator.address()));
  auto others = std::async(std::launch::async, [&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    kill(victim, SIGKILL);
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    for (const char* name : {"phone1", "phone2"}) {
      joined.push_back(
          std::async(std::launch::async, [&, name] { return join(name, coordinator.address()); }));
    }
  });
  EXPECT_EQ(coordinator.wait_for({"phone1", "phone2"}, [] {}).size(), 2U);
  others.get();
}

// Who takes its place would count as ready before it is.
TEST(NetCoordinator, DropsWhoConfirmsADirectoryThatItWasNotSent) {
  NetCoordinator coordinator(quick(10));
  auto others = std::async(std::launch::async, [&] {
    const auto context = internal::make_context();
    internal::Inbox inbox(*context, NetOptions{}, nullptr);
    RawPeer eager(coordinator.address(), join_envelope("phone1", inbox.address()));
    wire::Envelope welcome;
    welcome.mutable_welcome();
    while (eager.connection().update() == internal::Connection::State::kConnecting) {
      if (const auto asked = inbox.receive()) inbox.reply(asked->identity, welcome);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    wire::Envelope joined;
    joined.mutable_joined();
    eager.connection().send(joined);
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    const auto join_quickly = [&](const char* name) {
      return join(name, coordinator.address(), quick(5));
    };
    auto second = std::async(std::launch::async, join_quickly, "phone2");
    auto first = join_quickly("phone1");
    return std::pair(std::move(first), second.get());  // which stay until all have come
  });
  EXPECT_EQ(world_error([&] { coordinator.wait_for({"phone1", "phone2"}, [] {}); }), "no error");
  others.get();
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

TEST(NetCoordinator, RefusesAnotherVersionOfTheProtocolAndGoesOn) {
  NetCoordinator coordinator(quick(20));
  std::string reason;
  std::unique_ptr<Device> worker;
  auto others = std::async(std::launch::async, [&] {
    RawPeer newer(coordinator.address(),
                  join_envelope("phone1", "tcp://127.0.0.1:9", kWireProtocol + 1));
    newer.settle();
    reason = newer.connection().reason();
    worker = join("phone1", coordinator.address());
  });
  EXPECT_EQ(coordinator.wait_for({"phone1"}, [] {}).size(), 1U);
  others.get();
  EXPECT_THAT(reason, AllOf(HasSubstr(fmt::format("protocol {}", kWireProtocol + 1)),
                            HasSubstr("install the same version")));
}

TEST(NetCoordinator, RefusesWhoHasNoPlaceInARunThatHasBegun) {
  RawRun run;
  EXPECT_THAT(world_error([&] { join("late", run.coordinator.address()); }),
              HasSubstr("this run has no device 'late': it has raw"));
  EXPECT_THAT(world_error([&] { join("raw", run.coordinator.address()); }),
              HasSubstr("the name 'raw' is in use"));
}

TEST(NetWorker, SaysWhyThereIsNoCoordinator) {
  const auto said = [](const std::string& address, double wait_s = 0.3) {
    return world_error([&] { join("phone1", address, quick(wait_s)); });
  };
  const std::string nobody = unused_address();
  EXPECT_THAT(said(nobody), AllOf(HasSubstr(nobody), HasSubstr("Connection refused"),
                                  HasSubstr("start it first")));
  EXPECT_THAT(said("tcp://no.such.host.invalid:5555"), HasSubstr("does not resolve"));
  EXPECT_THAT(said("127.0.0.1:5555"), HasSubstr("is no address"));
  EXPECT_THAT(said(OtherServer("SSH-2.0-OpenSSH_9.2\r\n").address()),
              AllOf(HasSubstr("SSH server"), HasSubstr("'SSH-2.0-OpenSSH_9.2'")));
  EXPECT_THAT(said(OtherServer("HTTP/1.1 400 Bad Request\r\n").address()), HasSubstr("web server"));
  EXPECT_THAT(said(OtherServer(std::string("\xff\0\0\0\0\0\0\0\1\x7f", 10)).address()),
              HasSubstr("ZeroMQ"));
  EXPECT_THAT(said(OtherServer("").address()),
              HasSubstr("accepts connections there and says nothing"));
  EXPECT_THAT(said(OtherServer("", true).address()), HasSubstr("ends them at once"));
}

// Nobody is to wait for the end of the time when it is certain that no coordinator will come.
TEST(NetWorker, DoesNotWaitForAnotherServer) {
  const OtherServer ssh("SSH-2.0-OpenSSH_9.2\r\n");
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_THAT(world_error([&] { join("phone1", ssh.address(), quick(60)); }),
              HasSubstr("SSH server"));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

std::string welcome_frame() {
  wire::Envelope welcome;
  welcome.mutable_welcome();
  return zmq_frame(welcome.SerializeAsString());
}

// What is sent next would go over another connection, to somebody who has not been told from whom.
TEST(Connection, ThatBreaksBeforeItsWelcomeIsReadIsDown) {
  auto server = std::make_unique<OtherServer>(zmq_greeting(), false, welcome_frame());
  RawPeer peer(server->address(), join_envelope("phone1", server->address()));
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  server.reset();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_EQ(peer.settle(), internal::Connection::State::kDown);
  EXPECT_EQ(peer.connection().reason(), "the connection broke");
}

// An introduction that waits when a connection breaks goes over the next one beside that one's own.
TEST(Connection, TakesASecondWelcomeForNoAnswer) {
  const OtherServer server(zmq_greeting(), false, welcome_frame() + welcome_frame());
  RawPeer peer(server.address(), join_envelope("phone1", server.address()));
  EXPECT_EQ(peer.settle(), internal::Connection::State::kUp);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  peer.connection().update();
  EXPECT_FALSE(peer.connection().receive().has_value());
}

TEST(NetWorker, SaysThatItWasGivenTheAddressOfAWorker) {
  NetCoordinator coordinator(quick(20));
  NetOptions fixed;  // a port that the test knows
  fixed.listen = unused_address();
  auto worker =
      std::async(std::launch::async, [&] { return join("raw", coordinator.address(), fixed); });
  coordinator.wait_for({"raw"}, [] {});
  const auto device = worker.get();
  EXPECT_THAT(world_error([&] { join("phone1", fixed.listen, quick(5)); }),
              HasSubstr("this is the worker 'raw' and no coordinator"));
}

// The coordinator waits longer than the worker would for a coordinator.
TEST(NetWorker, WaitsForTheOthersAsLongAsTheCoordinator) {
  NetCoordinator coordinator(quick(20));
  auto early = std::async(std::launch::async,
                          [&] { return join("phone1", coordinator.address(), quick(0.3)); });
  auto late = std::async(std::launch::async, [&] {
    std::this_thread::sleep_for(std::chrono::seconds(1));
    return join("phone2", coordinator.address());
  });
  EXPECT_EQ(coordinator.wait_for({"phone1", "phone2"}, [] {}).size(), 2U);
  EXPECT_NE(early.get(), nullptr);
  EXPECT_NE(late.get(), nullptr);
}

TEST(NetWorker, IsToldWhoIsMissingWhenTheRunDoesNotBegin) {
  NetCoordinator coordinator(quick(0.5));
  auto worker = std::async(std::launch::async, [&] {
    return world_error([&] { join("phone1", coordinator.address()); });
  });
  EXPECT_THAT(world_error([&] {
                coordinator.wait_for({"phone1", "phone2"}, [] {});
              }),
              HasSubstr("phone2 missing"));
  EXPECT_THAT(worker.get(), AllOf(HasSubstr("does not begin"), HasSubstr("phone2 missing")));
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
  EXPECT_NEAR(worker->now().count(), coordinator.mailbox().now().count(), 0.005);
  EXPECT_GT(worker->telemetry().free_memory_bytes, 0);
  EXPECT_GE(worker->telemetry().load, 0);
}

}  // namespace
}  // namespace lingua
