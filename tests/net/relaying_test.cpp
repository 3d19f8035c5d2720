// Devices that take no connections, and devices that cannot connect to each other.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <mutex>

#include "runtime/net/mailroom.h"
#include "tests/net/raw_peers.h"

namespace lingua {
namespace {

using ::testing::HasSubstr;

constexpr double kSoon_s = 0.3;  // without a sign of life

NetOptions soon() {
  NetOptions net = quick(20);
  net.loss_timeout = Seconds(kSoon_s);
  return net;
}

// What is said to people, on any thread, for as long as anybody speaks.
class Said {
 public:
  std::function<void(const std::string&)> hear() const {
    return [kept = kept_](const std::string& line) {
      const std::lock_guard lock(kept->mutex);
      kept->text += line + "\n";
    };
  }
  std::string text() const {
    const std::lock_guard lock(kept_->mutex);
    return kept_->text;
  }

 private:
  struct Kept {
    std::mutex mutex;
    std::string text;
  };
  std::shared_ptr<Kept> kept_ = std::make_shared<Kept>();
};

// Devices of one coordinator, which come one by one.
class Relaying : public ::testing::Test {
 protected:
  Relaying() {
    NetOptions here = soon();
    here.say = said_.hear();
    coordinator_ = std::make_unique<NetCoordinator>(here);
  }

  NetWorkerOptions options(const DeviceName& name, bool relayed) const {
    NetWorkerOptions options{spec_of(name), coordinator_->address(), soon(), {}};
    options.spec.relayed = relayed;
    return options;
  }
  static std::unique_ptr<Device> start(const NetWorkerOptions& options) {
    return join_as_worker(options, std::make_unique<NullExecutor>());
  }
  std::vector<DeviceSpec> gather(const std::vector<DeviceName>& names,
                                 const std::function<void()>& come) {
    auto others = std::async(std::launch::async, come);
    std::vector<DeviceSpec> specs = coordinator_->wait_for(names, [] {});
    others.get();
    return specs;
  }
  // b, and a, whose inbox b and the coordinator do not connect to.
  void gather_pair() {
    gather({"a", "b"}, [this] {
      auto other = std::async(std::launch::async, [this] { b_ = start(options("b", false)); });
      a_ = start(options("a", true));
      other.get();
    });
  }
  std::string said() const { return said_.text(); }
  Mailbox& here() { return coordinator_->mailbox(); }
  std::string relays() const {
    std::string text;
    for (const RelayedLink& link : coordinator_->relayed())
      text += fmt::format("{} to {}: {}; ", link.from, link.to, link.messages);
    return text;
  }

  template <class Box>
  static Message next(Box& box) {
    auto message = box.receive(Seconds(box.now() + Seconds(10)));
    LINGUA_CHECK(message, "nothing comes");
    return *std::move(message);
  }
  template <class Box>
  static void expect_tokens(Box& box, const DeviceName& from, int count) {
    for (int i = 0; i < count; ++i) {
      const Message message = next(box);
      EXPECT_EQ(message.from, from) << describe(message.body);
      ASSERT_TRUE(std::holds_alternative<TokenMade>(message.body)) << describe(message.body);
      EXPECT_EQ(std::get<TokenMade>(message.body).index, i);
    }
  }
  template <class Box>
  static void send_tokens(Box& box, const DeviceName& to, int count) {
    for (int i = 0; i < count; ++i) box.send(to, TokenMade{1, i, 7});
  }
  template <class Box>
  static void expect_lost(Box& box, const DeviceName& peer, const std::string& reason) {
    const Message message = next(box);
    EXPECT_EQ(message.from, peer) << describe(message.body);
    ASSERT_TRUE(std::holds_alternative<PeerLost>(message.body)) << describe(message.body);
    EXPECT_THAT(std::get<PeerLost>(message.body).reason, HasSubstr(reason));
  }

  Said said_;
  std::unique_ptr<NetCoordinator> coordinator_;
  std::unique_ptr<Device> a_;
  std::unique_ptr<Device> b_;
};

TEST_F(Relaying, OneThatTakesNoConnectionsIsReachedOverItsOwn) {
  gather_pair();
  EXPECT_THAT(said(),
              HasSubstr("'a' takes no connections; what other devices send it comes through"));
  send_tokens(*b_, "a", 50);
  expect_tokens(*a_, "b", 50);
  send_tokens(here(), "a", 50);
  expect_tokens(*a_, kCoordinator, 50);
  send_tokens(*a_, "b", 50);
  expect_tokens(*b_, "a", 50);
  send_tokens(*a_, kCoordinator, 50);
  expect_tokens(here(), "a", 50);
  EXPECT_EQ(relays(), "b to a: 50; ") << "a connects to b itself";
  EXPECT_THAT(said(), HasSubstr("what 'b' sends to 'a' comes through here"));
}

TEST_F(Relaying, OneWhoseInboxNobodyReachesIsTakenInAllTheSame) {
  NetWorkerOptions nowhere = options("a", false);
  nowhere.net.advertise = "127.0.0.2";  // it listens on 127.0.0.1
  const Said told;
  nowhere.net.say = told.hear();
  const auto specs = gather({"a", "b"}, [&] {
    auto other = std::async(std::launch::async, [&] { b_ = start(options("b", false)); });
    a_ = start(nowhere);
    other.get();
  });
  EXPECT_TRUE(specs.at(0).relayed);
  EXPECT_FALSE(specs.at(1).relayed);
  EXPECT_THAT(said(),
              HasSubstr("'a' takes no connections (it cannot be reached at tcp://127.0.0.2:"));
  EXPECT_THAT(told.text(), HasSubstr("which cannot connect to this one"));
  send_tokens(*b_, "a", 3);
  expect_tokens(*a_, "b", 3);
}

// To b, where it listens for the coordinator, a does not get.
TEST_F(Relaying, WhatOneCannotConnectToItSendsThroughTheCoordinator) {
  internal::Membership membership;
  gather({"a", "b"}, [&] {
    auto other = std::async(std::launch::async, [&] { b_ = start(options("b", false)); });
    membership = internal::join(options("a", false));
    other.get();
  });
  membership.peers.at("b").address = internal::parse_address("tcp://127.0.0.2:9");
  const Said told;
  membership.options.say = told.hear();
  internal::Mailroom a(std::move(membership));
  send_tokens(a, "b", 20);
  expect_tokens(*b_, "a", 20);
  EXPECT_EQ(relays(), "a to b: 20; ");
  EXPECT_THAT(told.text(),
              HasSubstr("a: what it sends to 'b' goes through the coordinator: it cannot be "
                        "reached at tcp://127.0.0.2:9"));
  EXPECT_THAT(said(), HasSubstr("'a' sends to 'b' comes through here, which is slower: it cannot"));
  send_tokens(*b_, "a", 3);
  expect_tokens(a, "b", 3);
  b_.reset();
  expect_lost(a, "b", "it has left");
  expect_lost(here(), "b", "it has left");
}

TEST_F(Relaying, AllThatWasSentArrivesBeforeTheEnd) {
  gather_pair();
  send_tokens(*a_, "b", 1);
  expect_tokens(*b_, "a", 1);
  send_tokens(*b_, "a", 200);
  b_.reset();
  expect_tokens(*a_, "b", 200);
  expect_lost(*a_, "b", "it has left");
  expect_lost(here(), "b", "it has left");
  send_tokens(*a_, kCoordinator, 200);
  const auto begin = internal::Clock::now();
  a_.reset();
  EXPECT_LT(Seconds(internal::Clock::now() - begin), Seconds(1)) << "its goodbye is answered";
  expect_tokens(here(), "a", 200);
  expect_lost(here(), "a", "it has left");
}

TEST_F(Relaying, TheCoordinatorsEndIsHeard) {
  gather_pair();
  send_tokens(here(), "a", 100);
  const auto begin = internal::Clock::now();
  coordinator_.reset();
  EXPECT_LT(Seconds(internal::Clock::now() - begin), Seconds(1));
  expect_tokens(*a_, kCoordinator, 100);
  expect_lost(*a_, kCoordinator, "it has left");
}

TEST_F(Relaying, TheLossOfOneIsHeardByAllThatHaveSentToItAndItMayComeAgain) {
  LocalProcesses processes;
  for (const auto& [signal, reason] :
       {std::pair(SIGKILL, "the connection broke"), std::pair(SIGSTOP, "nothing has come from")}) {
    LocalProcess a = peer_process("a", coordinator_->address());
    a.argv.emplace_back("relayed");
    pid_t pid = -1;
    if (!b_) {
      pid = processes.start(a);
      gather({"a", "b"}, [&] { b_ = start(options("b", false)); });
    } else {
      pid = processes.start(a);
      const Message hello = next(here());
      ASSERT_TRUE(std::holds_alternative<Hello>(hello.body)) << describe(hello.body);
      EXPECT_TRUE(std::get<Hello>(hello.body).spec.relayed);
    }
    here().send("a", TokenMade{1, 0, 7});  // which it answers
    expect_tokens(here(), "a", 1);
    send_tokens(*b_, "a", 1);
    expect_tokens(here(), "a", 1);
    ::kill(pid, signal);
    expect_lost(here(), "a", reason);
    expect_lost(*b_, "a", reason);
    send_tokens(*b_, "a", 1);  // nothing happens
    processes.kill("a");
  }
}

// ---- what is not believed ----

class RelayedNonsense : public Relaying {
 protected:
  RelayedNonsense() {
    gather({"raw", "b"}, [this] {
      auto other = std::async(std::launch::async, [this] { b_ = start(options("b", false)); });
      raw_ = internal::join(options("raw", false));
      other.get();
    });
  }
  // Through the coordinator.
  void forward(const DeviceName& to, const wire::Envelope& what) {
    wire::Envelope head;
    head.mutable_forward()->set_peer(to);
    raw_.connections.at(kCoordinator)
        ->send({internal::make_control_frame(head), internal::make_control_frame(what)});
  }
  // Over a connection of its own.
  void to_b(const std::vector<Frame>& frames) {
    way_ = internal::connect_to(raw_, raw_.peers.at("b"));
    way_->send(frames);
    for (int i = 0; i < 500 && way_->update() == internal::Connection::State::kConnecting; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  void expect_coordinator_refuses() { expect_lost(here(), "raw", "answers nonsense: message: "); }

  internal::Membership raw_;
  std::unique_ptr<internal::OwnConnection> way_;
};

TEST_F(RelayedNonsense, MessagesForNobodyAreRefused) {
  wire::Envelope stop;
  stop.mutable_stop();
  forward("nobody", stop);
  expect_coordinator_refuses();
}

TEST_F(RelayedNonsense, MessagesForOneselfAreRefused) {
  wire::Envelope stop;
  stop.mutable_stop();
  forward("raw", stop);
  expect_coordinator_refuses();
}

TEST_F(RelayedNonsense, ForwardsWithoutAMessageAreRefused) {
  wire::Envelope head;
  head.mutable_forward()->set_peer("b");
  raw_.connections.at(kCoordinator)->send(head);
  expect_coordinator_refuses();
}

// Which whoever sent them answers for.
TEST_F(RelayedNonsense, WordsOfTheTransportAreNotPassedOn) {
  wire::Envelope goodbye;
  goodbye.mutable_goodbye();
  forward("b", goodbye);
  expect_lost(*b_, "raw", "answers nonsense: message: kind: only the transport may send it");
}

TEST_F(RelayedNonsense, OnlyTheCoordinatorPassesOn) {
  wire::Envelope head;
  head.mutable_forward()->set_peer(kCoordinator);
  wire::Envelope stop;
  stop.mutable_stop();
  to_b({internal::make_control_frame(head), internal::make_control_frame(stop)});
  expect_lost(*b_, "raw", "only the coordinator passes messages on");
}

TEST_F(RelayedNonsense, OnlyTheCoordinatorSaysWhoIsGone) {
  wire::Envelope gone;
  gone.mutable_gone()->set_peer(kCoordinator);
  to_b({internal::make_control_frame(gone)});
  expect_lost(*b_, "raw", "only the coordinator says who is gone");
}

}  // namespace
}  // namespace lingua
