// Links with keys: who passes an inbox, and as whom.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/temporary.h"
#include "tests/net/raw_peers.h"

namespace lingua {
namespace {

using internal::Connection;
using ::testing::HasSubstr;

// A coordinator with a key, and workers w1 and w2 with theirs, of whom w1 is bare: the test has its membership.
class Secured : public ::testing::Test {
 protected:
  Secured() {
    here_.key = admission_->self();
    here_.admission = admission_;
    here_.join_timeout = Seconds(20);
    coordinator_ = std::make_unique<NetCoordinator>(here_);
  }

  NetWorkerOptions options(const DeviceName& name, const KeyPair& pair,
                           const std::string& token) const {
    NetOptions net = quick(5);
    net.key = pair;
    NetWorkerOptions options{spec_of(name), coordinator_->address(), net, {}};
    options.coordinator_key = admission_->self().public_key;
    options.token = token;
    return options;
  }
  std::string invite(const DeviceName& name) const {
    return admission_->invite(name, std::chrono::seconds(60));
  }
  std::string refusal(const NetWorkerOptions& options) const {
    return world_error([&] { join_as_worker(options, std::make_unique<NullExecutor>()); });
  }

  // Takes w1 and w2 in; `meanwhile` is called before they come.
  void gather(const std::function<void()>& meanwhile = [] {}) {
    auto others = std::async(std::launch::async, [&, this] {
      meanwhile();
      auto second = std::async(std::launch::async, [this] {
        return join_as_worker(options("w2", pair2_, invite("w2")),
                              std::make_unique<NullExecutor>());
      });
      raw_ = internal::join(options("w1", pair1_, invite("w1")));
      worker_ = second.get();
    });
    coordinator_->wait_for({"w1", "w2"}, [] {});
    others.get();
  }

  // Somebody at the inbox of w2, with a key, who says that it is `name`. The number to quote is known to it.
  std::unique_ptr<RawPeer> at_w2(const KeyPair& pair, const DeviceName& name) {
    const internal::PeerAddress peer = raw_.peers.at("w2");
    wire::Envelope introduction;
    introduction.mutable_introduce()->set_name(name);
    introduction.mutable_introduce()->set_key(peer.key);
    return std::make_unique<RawPeer>(peer, pair, introduction);
  }

  TemporaryFolder folder_;
  const KeyPair pair1_ = make_key_pair();
  const KeyPair pair2_ = make_key_pair();
  const std::shared_ptr<Admission> admission_ =
      std::make_shared<Admission>(make_key_pair(), folder_.file("known_devices"));
  NetOptions here_;
  std::unique_ptr<NetCoordinator> coordinator_;
  internal::Membership raw_;
  std::unique_ptr<Device> worker_;  // w2
};

TEST_F(Secured, WorkersAreTakenInByTheirTokens) {
  gather();
  EXPECT_EQ(KnownKeys(folder_.file("known_devices")).find("w1"), pair1_.public_key);
  EXPECT_EQ(raw_.peers.at("w2").public_key, pair2_.public_key);
  EXPECT_EQ(at_w2(pair1_, "w1")->settle(), Connection::State::kUp);
}

TEST_F(Secured, NoWorkerCanSpeakAsAnother) {
  gather();
  for (const char* name : {"coordinator", "w2", "w3"}) {
    const auto impostor = at_w2(pair1_, name);
    EXPECT_EQ(impostor->settle(), Connection::State::kDown) << name;
    EXPECT_TRUE(impostor->connection().refused()) << name;
    EXPECT_THAT(impostor->connection().reason(), HasSubstr("is not")) << name;
  }
}

TEST_F(Secured, AKeyThatIsNotOfTheRunDoesNotPassAWorkersInbox) {
  gather();
  const auto stranger = at_w2(make_key_pair(), "w1");
  EXPECT_EQ(stranger->settle(), Connection::State::kDown);
  EXPECT_THAT(stranger->connection().reason(), HasSubstr("turned this device's key away"));
}

TEST_F(Secured, TheCoordinatorTakesNoOtherTokens) {
  Admission other(make_key_pair(), folder_.file("others"));
  const auto ended = make_token(admission_->self(), "w1", WallClock::now() - std::chrono::hours(2),
                                std::chrono::seconds(60));
  const auto to_come =
      make_token(admission_->self(), "w1", WallClock::now() + std::chrono::hours(24),
                 std::chrono::seconds(60));
  const std::vector<std::pair<std::string, std::string>> tokens = {
      {"", "no token"},
      {other.invite("w1", std::chrono::seconds(60)), "not one that this coordinator made"},
      {invite("w2"), "not one that this coordinator made"},
      {ended, "ended"},
      {to_come, "set back"}};
  std::vector<std::string> reasons;
  gather([&] {
    for (const auto& [token, why] : tokens) {
      reasons.push_back(refusal(options("w1", make_key_pair(), token)));
    }
  });
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    EXPECT_THAT(reasons[i], HasSubstr(tokens[i].second)) << i;
  }
}

TEST_F(Secured, ATokenIsGoodOnce) {
  const std::string token = invite("w1");
  std::string again;
  gather();
  // Another run of the same coordinator, which knows w1 by now.
  coordinator_ = std::make_unique<NetCoordinator>(here_);
  auto joined = std::async(std::launch::async, [&] {
    again = refusal(options("w1", make_key_pair(), token));
    return join_as_worker(options("w1", pair1_, ""), std::make_unique<NullExecutor>());
  });
  coordinator_->wait_for({"w1"}, [] {});
  joined.get();
  EXPECT_THAT(again, HasSubstr("'w1' has another key than the last time"));
}

TEST_F(Secured, PlainConnectionsAndOtherCoordinatorsKeysGetNowhere) {
  std::string plain;
  std::string other;
  gather([&] {
    NetWorkerOptions without{spec_of("w1"), coordinator_->address(), quick(8), {}};
    plain = refusal(without);
    NetWorkerOptions wrong = options("w1", pair1_, invite("w1"));
    wrong.net.join_timeout = Seconds(8);
    wrong.coordinator_key = make_key_pair().public_key;
    other = refusal(wrong);
  });
  EXPECT_THAT(plain, HasSubstr("what is there wants keys"));
  EXPECT_THAT(other, HasSubstr("does not have the key that it should have"));
}

// Somebody else listens where the coordinator was, and has heard all that was said there in the clear.
TEST_F(Secured, AWorkerTellsNothingToWhoeverListensAtAnOldAddress) {
  zmq::context_t context;
  for (const bool has_key : {false, true}) {
    zmq::socket_t fake(context, zmq::socket_type::router);
    if (has_key) internal::secure_inbox(fake, make_key_pair());
    fake.bind("tcp://127.0.0.1:*");
    NetWorkerOptions there = options("w1", pair1_, invite("w1"));
    there.coordinator = fake.get(zmq::sockopt::last_endpoint);
    there.net.join_timeout = Seconds(8);
    EXPECT_THAT(refusal(there), HasSubstr(has_key ? "or somebody else listens there"
                                                  : "speaks ZeroMQ without keys"));
    zmq::message_t heard;
    EXPECT_FALSE(fake.recv(heard, zmq::recv_flags::dontwait));
  }
}

// It has recorded the run, and knows names, addresses, public keys and what to quote, but no secret key of w1.
TEST_F(Secured, NobodyElseAnswersInAWorkersPlace) {
  gather();
  const internal::PeerAddress coordinator = raw_.peers.at(kCoordinator);
  KeyPair half = make_key_pair();
  half.public_key = pair1_.public_key;
  wire::Envelope introduce;
  introduce.mutable_introduce()->set_name("w1");
  introduce.mutable_introduce()->set_key(raw_.key);
  const wire::Envelope again = join_envelope("w1", raw_.inbox->endpoint());
  Message answer;
  answer.body = TokenMade{1, 2, 3};
  const auto forge = [&](RawPeer forger) {
    forger.connection().send(encode(answer));
    EXPECT_EQ(forger.settle(), Connection::State::kDown);
  };
  const auto forge_all = [&] {
    for (const wire::Envelope& words : {introduce, again}) {
      for (const KeyPair& pair : {make_key_pair(), pair2_}) forge({coordinator, pair, words});
    }
    forge({coordinator, half, introduce});
    forge({coordinator_->address(), introduce});
  };
  Mailbox& device = coordinator_->mailbox();
  forge_all();
  answer.body = TokenMade{7, 7, 7};
  raw_.connections.at(kCoordinator)->send(encode(answer));
  auto heard = device.receive(device.now() + Seconds(10));
  ASSERT_TRUE(heard.has_value());
  EXPECT_EQ(std::get<TokenMade>(heard->body).request, 7);
  { const internal::Membership gone = std::move(raw_); }
  heard = device.receive(device.now() + Seconds(10));
  ASSERT_TRUE(heard.has_value());
  EXPECT_TRUE(std::holds_alternative<PeerLost>(heard->body));
  forge_all();
  EXPECT_FALSE(device.receive(device.now() + Seconds(0.2)).has_value());
}

TEST(Unsecured, ARunWithASecretTakesOnlyThoseThatQuoteIt) {
  NetOptions options = quick(20);
  options.secret = "of this run";
  NetCoordinator coordinator(options);
  std::string refused;
  auto others = std::async(std::launch::async, [&] {
    NetWorkerOptions worker{spec_of("w1"), coordinator.address(), quick(5), {}};
    refused = world_error([&] { join_as_worker(worker, std::make_unique<NullExecutor>()); });
    worker.token = options.secret;
    return join_as_worker(worker, std::make_unique<NullExecutor>());
  });
  coordinator.wait_for({"w1"}, [] {});
  EXPECT_NE(others.get(), nullptr);
  EXPECT_THAT(refused, HasSubstr("not of this run"));
}

}  // namespace
}  // namespace lingua
