// A whole run over TCP, among strangers that send nonsense and with a device that does.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/random.h"
#include "runtime/engine/run.h"
#include "runtime/engine/worker.h"
#include "tests/net/raw_peers.h"
#include "tests/support/toy_model.h"

namespace lingua {
namespace {

using ::testing::HasSubstr;

constexpr int kSegments = 6;

// The toy model on w1, w2 and w3.
class ToyCluster {
 public:
  ToyCluster() {
    job_.coordinator.deployment.segmentation = &segmentation_;
    job_.coordinator.deployment.source = &source_;
    job_.coordinator.deployment.plan.stages = {
        {"w1", 0, 1, {}}, {"w2", 2, 3, {}}, {"w3", 4, kSegments - 1, {}}};
    job_.coordinator.deployment.plan.transfers =
        transfers_of(segmentation_, job_.coordinator.deployment.plan.stages);
    job_.coordinator.settle = Seconds(0.2);
  }

  // At ports that the test knows.
  const std::map<DeviceName, std::string>& choose_addresses() {
    for (const char* name : {"w1", "w2", "w3"}) addresses_[name] = unused_address();
    addresses_[kCoordinator] = coordinator_.address();
    return addresses_;
  }

  NetWorkerOptions options(const DeviceName& name) const {
    NetOptions net;
    const auto address = addresses_.find(name);
    if (address != addresses_.end()) net.listen = address->second;
    return {spec_of(name), coordinator_.address(), net, {}};
  }

  // The worker loop on a thread of its own.
  void start(const DeviceName& name) {
    workers_.push_back(std::async(std::launch::async, [this, name] {
      const auto device = join_as_worker(options(name), std::make_unique<testing::ToyExecutor>());
      run_worker(*device, {});
    }));
  }

  RunResult run() {
    coordinator_.wait_for({"w1", "w2", "w3"}, [] {});
    const auto client = coordinator_.open_client(kOnlyClient);
    return run_job(coordinator_.mailbox(), *client, job_);
  }

  RunJob& job() { return job_; }

 private:
  const Segmentation segmentation_ = testing::toy_segmentation(kSegments, true);
  testing::ToySource source_;
  RunJob job_;
  NetCoordinator coordinator_{NetOptions{}};
  std::map<DeviceName, std::string> addresses_;
  std::vector<std::future<void>> workers_;
};

Submit request(RequestId id) {
  Submit submit;
  submit.request = id;
  submit.inputs = {make_int64_tensor({1, 2, 3})};
  submit.max_tokens = 20;
  submit.capacity = 23;
  return submit;
}

std::vector<Frame> frames_of(MessageBody body) {
  Message message;
  message.body = std::move(body);
  return encode(message);
}

std::string bytes_of(const wire::Envelope& envelope) { return envelope.SerializeAsString(); }

Activations activations() {
  Activations body;
  body.epoch = Deployment().epoch;
  body.values = {2};
  body.tensors = {make_int64_tensor({1, 2, 3})};
  return body;
}

// What the transport says for itself, and what devices do.
std::vector<std::string> genuine_messages(const DeviceName& name) {
  std::vector<wire::Envelope> envelopes(7);
  envelopes[0].mutable_goodbye();
  envelopes[1].mutable_welcome();
  envelopes[2].mutable_joined();
  envelopes[3].mutable_introduce()->set_name(name);
  envelopes[4].mutable_directory()->add_entries()->set_name(name);
  envelopes[5].mutable_forward()->set_peer(name);
  envelopes[6].mutable_gone()->set_peer(name);
  std::vector<std::string> messages;
  for (const wire::Envelope& envelope : envelopes) messages.push_back(bytes_of(envelope));
  for (const MessageBody& body :
       {MessageBody(Stop{}), MessageBody(activations()), MessageBody(PeerLost{"trust me"}),
        MessageBody(Failed{1, "trust me"}), MessageBody(TokenMade{0, 0, 1})}) {
    messages.emplace_back(frames_of(body).front().bytes);
  }
  return messages;
}

// All sorts of nonsense to an inbox, some of it in the name of a device.
void annoy(const std::string& address, const DeviceName& name) {
  Rng random(7);
  std::string noise(4000, '\0');
  for (char& byte : noise) byte = static_cast<char>(random.next());
  BareSocket(address).send(noise);
  BareSocket(address).send("GET / HTTP/1.1\r\n\r\n");
  const auto greeted = [&](const std::string& bytes) {
    BareSocket socket(address);
    socket.greet();
    socket.send(bytes);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  };
  greeted(noise);
  greeted(std::string("\3\0\0\0\0\0\x10\0\0 and no more", 21));
  std::string frames;
  std::string cut_short;
  for (const std::string& message : genuine_messages(name)) {
    frames += zmq_frame(message);
    for (std::size_t size = 0; size < message.size(); ++size) {
      cut_short += zmq_frame(message.substr(0, size));
    }
  }
  greeted(frames);
  greeted(cut_short);
  wire::Envelope introduction;
  introduction.mutable_introduce()->set_name(name);
  introduction.mutable_introduce()->set_key(4711);
  RawPeer peer(address, introduction);
  peer.connection().send(frames_of(Stop{}));
  EXPECT_EQ(peer.settle(), internal::Connection::State::kDown);
}

TEST(RunAmongStrangers, GoesOnAndSaysTheSame) {
  ToyCluster cluster;
  const auto& addresses = cluster.choose_addresses();
  for (const char* name : {"w1", "w2", "w3"}) cluster.start(name);
  std::promise<void> begun;
  std::atomic<bool> over{false};
  RequestId requests = 0;
  cluster.job().client.next_request = [&](const auto&) -> std::optional<Submit> {
    return over ? std::nullopt : std::optional(request(requests++));
  };
  cluster.job().client.on_done = [&](const Done& done) {
    if (done.request == 0) begun.set_value();
  };
  auto strangers = std::async(std::launch::async, [&] {
    begun.get_future().wait();
    for (const auto& [name, address] : addresses) {
      for (const auto& [other, elsewhere] : addresses) annoy(address, other);
    }
    over = true;
  });
  const RunResult result = cluster.run();
  strangers.get();
  ASSERT_GE(result.answers.size(), 2U);
  EXPECT_EQ(result.answers.front().tokens.size(), 20U);
  for (const Done& answer : result.answers) {
    EXPECT_EQ(answer.tokens, result.answers.front().tokens);
  }
  EXPECT_TRUE(result.notes.empty());
}

// With w2, in whose place the test sends `frames` to `to` when the run has begun.
std::string end_of_run_in_which_w2_sends(const DeviceName& to, std::vector<Frame> frames) {
  ToyCluster cluster;
  for (const char* name : {"w1", "w3"}) cluster.start(name);
  cluster.job().client.requests = {request(0)};
  std::promise<void> ended;
  auto w2 = std::async(std::launch::async, [&] {
    internal::Membership raw = internal::join(cluster.options("w2"));
    while (raw.early.empty() && !raw.inbox->receive()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    if (to != kCoordinator) raw.connections[to] = internal::connect_to(raw, raw.peers.at(to));
    internal::Connection& connection = *raw.connections.at(to);
    connection.send(std::move(frames));
    auto end = ended.get_future();
    while (end.wait_for(std::chrono::milliseconds(10)) != std::future_status::ready) {
      connection.update();
    }
  });
  const std::string said = world_error([&] { cluster.run(); });
  ended.set_value();
  return said;
}

TEST(DeviceThatSendsNonsense, IsNamedByTheLineThatEndsTheRun) {
  const std::vector<Frame> whole = frames_of(activations());
  ASSERT_EQ(whole.size(), 2U);
  const std::string envelope(whole.front().bytes);
  const std::vector<std::vector<Frame>> nonsense = {
      {text_frame("\xff\xff\xff nonsense")},
      {text_frame("")},
      {text_frame(envelope.substr(0, envelope.size() / 2)), whole[1]},
      {whole[0]},                                              // its tensor does not come
      {whole[0], text_frame("short")},                         // nor all of it
      {whole[0], whole[1], text_frame("and one frame more")},  // or too much
      frames_of(PeerLost{"trust me"}),
  };
  std::vector<std::pair<std::future<std::string>, std::string>> ends;
  const auto expect = [&](const DeviceName& to, const std::vector<Frame>& frames,
                          const std::string& end) {
    ends.emplace_back(std::async(std::launch::async, end_of_run_in_which_w2_sends, to, frames),
                      end);
  };
  for (const auto& frames : nonsense) {
    expect("w1", frames, "w1 lost its link to w2: answers nonsense: message:");
    expect(kCoordinator, frames,
           "w2 was lost while it held segments 2 to 3 (answers nonsense: message:");
  }
  expect("w1", frames_of(Stop{}),
         "w1 failed: w2 answers nonsense: only the coordinator may send Stop");
  for (auto& [said, end] : ends) EXPECT_THAT(said.get(), HasSubstr(end));
}

}  // namespace
}  // namespace lingua
