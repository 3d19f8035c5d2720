#pragma once
// Devices that follow the protocol until they do not: what they send goes through a Damage.

#include <atomic>
#include <deque>
#include <functional>
#include <set>

#include "runtime/base/errors.h"
#include "runtime/net/joining.h"
#include "runtime/net/zmq_frames.h"
#include "tests/net/traffic.h"

namespace lingua::testing {

// A Device over the bare sockets of a membership, without a thread of its own. After `patience` it
// has enough of the run: receive() throws a WorldError.
class HostileDevice : public Device {
 public:
  // What goes out in place of a message to a device.
  using Change = std::function<std::vector<Wired>(const DeviceName& to, Wired message)>;

  HostileDevice(DeviceSpec spec, internal::Membership membership,
                std::unique_ptr<Executor> executor, Seconds patience, Change change)
      : spec_(std::move(spec)),
        membership_(std::move(membership)),
        executor_(std::move(executor)),
        change_(std::move(change)),
        end_(membership_.clock->now() + patience) {
    for (internal::Incoming& incoming : std::exchange(membership_.early, {})) take(incoming);
  }

  Seconds now() override { return membership_.clock->now(); }
  Executor& executor() override { return *executor_; }
  const DeviceSpec& spec() const override { return spec_; }
  Telemetry telemetry() override { return {}; }

  void send(const DeviceName& to, MessageBody body) override {
    Message message;
    message.from = membership_.self;
    message.sent = message.arrived = now();
    message.body = std::move(body);
    if (to == membership_.self) {
      inbox_.push_back(std::move(message));
      return;
    }
    for (const Wired& out : change_(to, wired(encode(message)))) send_frames_to(to, out);
  }

  std::optional<Message> receive(Seconds deadline) override {
    while (true) {
      if (now() >= end_) throw WorldError("the hostile device has enough");
      pump();
      if (!inbox_.empty()) {
        Message message = std::move(inbox_.front());
        inbox_.pop_front();
        return message;
      }
      if (now() >= deadline) return std::nullopt;
      wait(std::min(deadline, end_));
    }
  }

 private:
  void send_frames_to(const DeviceName& to, const Wired& message) {
    if (lost_.contains(to) || message.empty()) return;
    auto& connection = membership_.connections[to];
    if (!connection) connection = internal::connect_to(membership_, membership_.peers.at(to));
    connection->send(frames_of(message));
  }

  void wait(Seconds deadline) {
    std::vector<zmq::pollitem_t> items;
    membership_.inbox->poll_for(items);
    for (auto& [name, connection] : membership_.connections) connection->poll_for(items);
    const auto soon = internal::Clock::now() + std::chrono::milliseconds(20);
    internal::wait_readable(items, std::min(soon, membership_.clock->at(deadline)));
  }

  void pump() {
    while (auto incoming = membership_.inbox->receive()) take(*incoming);
    membership_.inbox->watch();
    std::set<DeviceName> down;
    for (auto& [name, connection] : membership_.connections) {
      if (connection->update() == internal::Connection::State::kDown) down.insert(name);
      while (connection->receive()) {
      }
    }
    for (const DeviceName& name : down) lose(name);
  }

  void lose(const DeviceName& name) {
    membership_.connections.erase(name);
    if (!lost_.insert(name).second) return;
    deliver(name, PeerLost{"lost"});
  }

  void deliver(const DeviceName& from, MessageBody body) {
    Message message;
    message.from = from;
    message.sent = message.arrived = now();
    message.body = std::move(body);
    inbox_.push_back(std::move(message));
  }

  void take(const internal::Incoming& incoming) {
    wire::Envelope envelope;
    internal::parse_envelope(incoming.frames.at(0).bytes, &envelope);
    if (envelope.has_introduce()) {
      internal::take_introduction(membership_, incoming, envelope.introduce(),
                                  membership_.peers.contains(envelope.introduce().name()));
      return;
    }
    const DeviceName from = membership_.sender(incoming);
    if (envelope.has_goodbye()) {
      wire::Envelope farewell;
      farewell.mutable_farewell();
      membership_.inbox->reply(incoming.identity, farewell);
      lose(from);
    } else if (!internal::is_transport(envelope)) {
      deliver(from, internal::decode_body(envelope, incoming.frames).body);
    }
  }

  const DeviceSpec spec_;
  internal::Membership membership_;
  const std::unique_ptr<Executor> executor_;
  const Change change_;
  const Seconds end_;
  std::deque<Message> inbox_;
  std::set<DeviceName> lost_;
};

// What a coordinator holds when its devices have joined.
inline internal::Membership gathered(const NetOptions& options,
                                     const std::vector<DeviceName>& names,
                                     const std::function<void(const std::string&)>& tell_address) {
  internal::Membership membership;
  membership.self = kCoordinator;
  membership.key = internal::random_key();
  membership.options = options;
  membership.clock.emplace(internal::Clock::now());
  membership.context = internal::make_context();
  if (options.key) {
    membership.guard = std::make_unique<internal::Guard>(*membership.context);
    membership.guard->open(true);
  }
  membership.inbox =
      std::make_unique<internal::Inbox>(*membership.context, options, membership.guard.get());
  tell_address(membership.inbox->endpoint());
  internal::Reception reception(names, nullptr);
  internal::gather(membership, reception, names.size(), {}, [] {});
  return membership;
}

// A socket of ZeroMQ's without anything of ours above it.
class RawSocket {
 public:
  // A router that listens.
  explicit RawSocket(const std::optional<KeyPair>& self)
      : socket_(context_, zmq::socket_type::router), router_(true) {
    socket_.set(zmq::sockopt::linger, 0);
    if (self) {
      socket_.set(zmq::sockopt::curve_server, true);
      socket_.set(zmq::sockopt::curve_secretkey, zmq::buffer(self->secret.data(), kKeyBytes));
    }
    socket_.bind("tcp://127.0.0.1:*");
  }
  // A dealer that connects.
  RawSocket(const std::string& address, const std::optional<KeyPair>& self,
            const std::optional<PublicKey>& peer)
      : socket_(context_, zmq::socket_type::dealer), router_(false) {
    socket_.set(zmq::sockopt::linger, 100);
    if (self && peer) internal::secure_connection(socket_, *self, *peer);
    socket_.connect(address);
  }

  std::string address() const { return socket_.get(zmq::sockopt::last_endpoint); }
  std::optional<internal::Incoming> receive() { return internal::receive_frames(socket_, router_); }
  void send(const Wired& message, const std::string& identity = "") {
    std::vector<Frame> frames = frames_of(message);
    if (frames.empty()) return;
    if (router_) frames.insert(frames.begin(), {identity, nullptr});
    for (std::size_t i = 0; i < frames.size(); ++i) {
      const auto more = i + 1 < frames.size() ? zmq::send_flags::sndmore : zmq::send_flags::none;
      socket_.send(zmq::buffer(frames[i].bytes), more | zmq::send_flags::dontwait);
    }
  }
  // False when nothing has come by then.
  bool wait(std::chrono::milliseconds time) {
    std::vector<zmq::pollitem_t> items = {internal::poll_item(socket_)};
    return zmq::poll(items, time) > 0;
  }

 private:
  zmq::context_t context_;
  zmq::socket_t socket_;
  const bool router_;
};

}  // namespace lingua::testing
