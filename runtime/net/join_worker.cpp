#include <random>

#include "runtime/base/errors.h"
#include "runtime/net/address.h"
#include "runtime/net/joining.h"

namespace lingua::internal {
namespace {

constexpr int kClockRounds = 8;

class Joining {
 public:
  explicit Joining(const NetWorkerOptions& options)
      : options_(options),
        coordinator_(parse_address(options.coordinator)),
        deadline_(Clock::now() +
                  std::chrono::duration_cast<Clock::duration>(options.net.join_timeout)) {
    check_device_name(options.spec.name);
    membership_.self = options.spec.name;
    membership_.key = random_key();
    membership_.options = options.net;
    membership_.context = std::make_unique<zmq::context_t>();
    membership_.inbox = std::make_unique<Inbox>(*membership_.context, options.net);
    auto connection = std::make_unique<Connection>(*membership_.context, coordinator_.text(),
                                                   options.net.loss_timeout);
    connection_ = connection.get();
    membership_.connections.emplace(kCoordinator, std::move(connection));
    membership_.peers.emplace(kCoordinator, PeerAddress{coordinator_.text(), 0});
  }

  Membership run() {
    send_join();
    find_clock();
    take_directory();
    wire::Envelope joined;
    joined.mutable_joined();
    connection_->send(joined);
    return std::move(membership_);
  }

 private:
  void send_join() {
    wire::Envelope envelope;
    wire::Join* join = envelope.mutable_join();
    join->set_protocol(kWireProtocol);
    fill_device_spec(options_.spec, join->mutable_spec());
    join->set_address(
        advertised_address(options_.net, membership_.inbox->port(), coordinator_.host));
    join->set_key(membership_.key);
    connection_->send(envelope);
  }

  // The exchange with the shortest round trip says best what the coordinator's clock shows.
  void find_clock() {
    Seconds shortest = kNever;
    for (int round = 0; round < kClockRounds; ++round) {
      wire::Envelope question;
      question.mutable_clock()->set_round(round);
      const Clock::time_point asked = Clock::now();
      connection_->send(question);
      wire::Envelope answer;
      do {
        answer = receive("answer");
      } while (!answer.has_clock() || answer.clock().round() != round);
      const Clock::time_point answered = Clock::now();
      const Seconds trip = answered - asked;
      const Seconds theirs(answer.clock().now_s());
      if (!(theirs >= Seconds(0) && theirs < Seconds(1e9))) nonsense("a clock that cannot be");
      if (trip >= shortest) continue;
      shortest = trip;
      const auto origin = std::chrono::duration_cast<Clock::duration>(trip / 2 - theirs);
      membership_.clock.emplace(asked + origin);
    }
  }

  void take_directory() {
    while (!directory_) receive("tell that all devices have joined");
    for (const wire::Directory::Entry& entry : directory_->entries()) {
      try {
        if (entry.name() == membership_.self) continue;
        check_device_name(entry.name());
        const PeerAddress peer{parse_address(entry.address()).text(), entry.key()};
        membership_.peers.emplace(entry.name(), peer);
      } catch (const WorldError& error) {
        nonsense(error.what());
      }
    }
  }

  // The next message of the coordinator; the directory may come before the clock has been read.
  wire::Envelope receive(const char* what) {
    while (true) {
      const bool was_up = connection_->state() == Connection::State::kUp;
      if (connection_->update(true) == Connection::State::kDown) {
        throw WorldError(fmt::format("the coordinator at {} ended before all devices had joined",
                                     coordinator_.text()));
      }
      if (const auto incoming = connection_->receive()) return accept(*incoming);
      if (Clock::now() >= deadline_) {
        throw WorldError(fmt::format(
            "the coordinator at {} did not {} within {}{}", coordinator_.text(), what,
            format_quantity(options_.net.join_timeout.count(), Unit::kSeconds),
            was_up ? ""
                   : ": nobody accepts connections there; start it first and check the address"));
      }
      std::vector<zmq::pollitem_t> items{poll_item(connection_->socket()),
                                         poll_item(connection_->monitor())};
      wait_readable(items, deadline_);
    }
  }

  wire::Envelope accept(const Incoming& incoming) {
    wire::Envelope envelope;
    try {
      if (incoming.frames.empty()) throw InputError("message: no frames");
      parse_envelope(incoming.frames.front().bytes, &envelope);
    } catch (const InputError& error) {
      nonsense(error.what());
    }
    if (envelope.has_refused()) {
      throw WorldError(fmt::format("the coordinator at {} refuses this worker: {}",
                                   coordinator_.text(), one_line(envelope.refused().reason())));
    }
    if (envelope.has_directory()) directory_ = envelope.directory();
    return envelope;
  }

  [[noreturn]] void nonsense(const std::string& what) {
    throw WorldError(
        fmt::format("the coordinator at {} answers nonsense: {}", coordinator_.text(), what));
  }

  const NetWorkerOptions& options_;
  const Address coordinator_;
  const Clock::time_point deadline_;
  Membership membership_;
  Connection* connection_ = nullptr;
  std::optional<wire::Directory> directory_;
};

}  // namespace

std::uint64_t random_key() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) | device();
}

std::string advertised_address(const NetOptions& options, int port, const std::string& towards) {
  Address address = parse_listen_address(options.listen);
  if (!options.advertise.empty()) {
    address.host = options.advertise;
  } else if (address.any_host()) {
    address.host = local_address_towards(towards);
    if (address.host.empty()) address.host = "127.0.0.1";
  }
  address.port = std::to_string(port);
  return parse_address(address.text()).text();
}

Membership join(const NetWorkerOptions& options) { return Joining(options).run(); }

}  // namespace lingua::internal
