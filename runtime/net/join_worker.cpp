#include <algorithm>
#include <random>

#include "runtime/base/errors.h"
#include "runtime/net/address.h"
#include "runtime/net/joining.h"
#include "runtime/net/telemetry.h"

namespace lingua::internal {
namespace {

constexpr int kClockRounds = 8;
constexpr std::chrono::seconds kInquiryInterval{3};

class Joining {
 public:
  explicit Joining(const NetWorkerOptions& options)
      : options_(options),
        coordinator_(parse_address(options.coordinator)),
        deadline_(after(options.net.join_timeout)) {
    check_device_name(options.spec.name);
    LINGUA_CHECK(options.net.key.has_value() == options.coordinator_key.has_value());
    const PeerAddress coordinator{resolve(coordinator_), 0, options.coordinator_key};
    membership_.self = options.spec.name;
    membership_.key = random_key();
    membership_.options = options.net;
    membership_.context = make_context();
    if (options.coordinator_key) {
      membership_.guard = std::make_unique<Guard>(*membership_.context);
      membership_.guard->allow(*options.coordinator_key);
    }
    membership_.inbox =
        std::make_unique<Inbox>(*membership_.context, options.net, membership_.guard.get());
    auto connection = std::make_unique<OwnConnection>(*membership_.context, coordinator,
                                                      options.net, join_envelope());
    connection_ = connection.get();
    membership_.connections.emplace(kCoordinator, std::move(connection));
    membership_.peers.emplace(kCoordinator, coordinator);
  }

  Membership run() {
    while (connection_->state() != Connection::State::kUp) pump();
    if (connection_->is_relayed()) tell_relayed();
    const Seconds wait = connection_->wait();
    if (!(wait >= Seconds(0) && wait < Seconds(1e9))) nonsense("a time that cannot be");
    // The coordinator says when it gives up; this is for the case that it cannot.
    deadline_ = after(wait + options_.net.loss_timeout * 5);
    find_clock();
    while (!directory_) pump();
    try {
      membership_.peers.merge(take_directory(membership_, *directory_));
    } catch (const WorldError& error) {
      nonsense(error.what());
    }
    wire::Envelope joined;
    joined.mutable_joined()->set_round(directory_->round());
    connection_->send(joined);
    return std::move(membership_);
  }

 private:
  static Clock::time_point after(Seconds time) {
    return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::min(time, Seconds(1e9)));
  }

  wire::Envelope join_envelope() const {
    NetOptions bound = options_.net;
    bound.listen = membership_.inbox->endpoint();
    const std::string address =
        advertised_address(bound, membership_.inbox->port(), coordinator_.host);
    wire::Envelope envelope;
    wire::Join* join = envelope.mutable_join();
    join->set_protocol(kWireProtocol);
    DeviceSpec said = options_.spec;
    const double battery = LocalTelemetry(options_.sensors).read().battery;
    if (battery >= 0) said.charge = said.charge < 0 ? battery : std::min(said.charge, battery);
    fill_device_spec(said, join->mutable_spec());
    join->set_address(resolve(parse_address(address)).text());
    join->set_key(membership_.key);
    join->set_token(options_.token);
    return envelope;
  }

  // The exchange with the shortest round trip says best what the coordinator's clock shows.
  void find_clock() {
    Seconds shortest = kNever;
    for (int round = 0; round < kClockRounds; ++round) {
      wire::Envelope question;
      question.mutable_clock()->set_round(round);
      const Clock::time_point asked = Clock::now();
      clock_.reset();
      connection_->send(question);
      while (!clock_ || clock_->round() != round) pump();
      const Clock::time_point answered = Clock::now();
      const Seconds trip = answered - asked;
      const Seconds theirs(clock_->now_s());
      if (!(theirs >= Seconds(0) && theirs < Seconds(1e9))) nonsense("a clock that cannot be");
      if (trip >= shortest) continue;
      shortest = trip;
      const auto origin = std::chrono::duration_cast<Clock::duration>(trip / 2 - theirs);
      membership_.clock.emplace(asked + origin);
    }
  }

  // Waits for something to happen, and takes it.
  void pump() {
    std::vector<zmq::pollitem_t> items;
    membership_.inbox->poll_for(items);
    connection_->poll_for(items);
    const bool waits = connection_->state() == Connection::State::kConnecting;
    wait_readable(items, std::min({deadline_, membership_.inbox->next_watch(),
                                   connection_->next_update(), waits ? next_inquiry_ : deadline_}));
    while (auto incoming = membership_.inbox->receive()) take(std::move(*incoming));
    membership_.inbox->watch();
    if (membership_.inbox->has_moved(kCoordinator)) connection_->note_life();
    if (connection_->update(true) == Connection::State::kDown) fail();
    while (const auto answer = connection_->receive()) {
      if (answer->has_introduce()) greet(answer->introduce());
      if (answer->has_clock()) clock_ = answer->clock();
      if (answer->has_directory()) directory_ = answer->directory();
    }
    while (auto message = connection_->receive_message())
      membership_.early.push_back(std::move(*message));
    if (Clock::now() >= deadline_) give_up();
    if (connection_->state() == Connection::State::kConnecting) inquire();
  }

  // The coordinator's, which does not get to the inbox: that this process is who asked to join.
  void greet(const wire::Introduce& introduction) {
    if (introduction.name() != kCoordinator || introduction.key() != membership_.key) return;
    wire::Envelope welcome;
    welcome.mutable_welcome();
    connection_->send_early(welcome);
  }

  void tell_relayed() const {
    if (!options_.net.say) return;
    options_.net.say(fmt::format(
        "{}: what other devices send comes through the coordinator at {}, {}", membership_.self,
        coordinator_.text(),
        options_.spec.relayed ? "as is asked for" : "which cannot connect to this one"));
  }

  // From peers that have begun already, from the coordinator, and from strangers.
  void take(Incoming incoming) {
    if (!membership_.sender(incoming).empty()) {
      membership_.early.push_back(std::move(incoming));
      return;
    }
    try {
      if (incoming.frames.empty()) return;
      wire::Envelope envelope;
      parse_envelope(incoming.frames.front().bytes, &envelope);
      if (envelope.has_introduce()) {
        take_introduction(membership_, incoming, envelope.introduce(), true);
      } else if (envelope.has_join()) {
        send_away(membership_, incoming.identity);
      }
    } catch (const InputError&) {  // a stranger's
    }
  }

  // Whether it is another server that is there: waiting for it is of no use.
  void inquire() {
    const Clock::time_point now = Clock::now();
    if (now < next_inquiry_) return;
    next_inquiry_ = now + kInquiryInterval;
    if (!connection_->is_odd()) return;
    const Listener listener = listener_there();
    if (!listener.foreign) return;
    throw WorldError(fmt::format("no coordinator was found at {}: {}; check the address",
                                 coordinator_.text(), listener.words));
  }

  Listener listener_there() const {
    return who_listens(membership_.peers.at(kCoordinator).address,
                       {membership_.guard != nullptr, connection_->is_turned_away()});
  }

  [[noreturn]] void fail() {
    if (!connection_->refused()) {
      throw NoRunYet(fmt::format("the coordinator at {} was lost before all devices had joined: {}",
                                 coordinator_.text(), connection_->reason()));
    }
    const std::string what = fmt::format("the coordinator at {} refuses this worker: {}",
                                         coordinator_.text(), connection_->reason());
    if (connection_->refused_for_now()) throw NoRunYet(what);
    throw WorldError(what);
  }

  [[noreturn]] void give_up() {
    if (connection_->state() == Connection::State::kUp) {
      throw NoRunYet(fmt::format("the coordinator at {} did not tell that all devices have joined",
                                 coordinator_.text()));
    }
    throw NoRunYet(fmt::format(
        "no coordinator was found at {} within {}: {}; start it first and check the address",
        coordinator_.text(), format_quantity(options_.net.join_timeout.count(), Unit::kSeconds),
        listener_there().words));
  }

  [[noreturn]] void nonsense(const std::string& what) {
    throw WorldError(
        fmt::format("the coordinator at {} answers nonsense: {}", coordinator_.text(), what));
  }

  const NetWorkerOptions& options_;
  const Address coordinator_;
  Clock::time_point deadline_;
  Clock::time_point next_inquiry_ = Clock::now() + kInquiryInterval;
  Membership membership_;
  OwnConnection* connection_ = nullptr;
  std::optional<wire::Clock> clock_;
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
    if (address.host.empty()) address.host = own_address();
    if (address.host.empty()) address.host = "127.0.0.1";
  }
  address.port = std::to_string(port);
  return parse_address(address.text()).text();
}

std::string take_introduction(Membership& membership, const Incoming& incoming,
                              const wire::Introduce& introduction, bool expected) {
  const std::string& identity = incoming.identity;
  const DeviceName& name = introduction.name();
  std::string reason;
  if (!expected || !membership.has_key_of(name, incoming) || introduction.key() != membership.key ||
      name == membership.self) {
    reason = fmt::format("it says it is '{}' and is not", one_line(name));
  }
  for (const auto& [other, taken] : membership.identities) {
    if (reason.empty() && taken == name && other != identity && membership.inbox->is_open(other)) {
      reason = fmt::format("'{}' is connected already", one_line(name));
    }
  }
  wire::Envelope answer;
  if (reason.empty()) {
    membership.identities[identity] = name;
    membership.inbox->identify(identity, name);
    answer.mutable_welcome();
  } else {
    answer.mutable_refused()->set_reason(reason);
    answer.mutable_refused()->set_protocol(kWireProtocol);
  }
  membership.inbox->reply(identity, answer);
  return reason;
}

std::string name_in_use(const DeviceName& name) {
  return fmt::format(
      "the name '{}' is in use: another worker joined with it; start one worker of each name",
      one_line(name));
}

void send_away(const Membership& membership, const std::string& identity) {
  send_refusal(membership, identity,
               fmt::format("this is the worker '{}' and no coordinator", membership.self), false);
}

std::map<DeviceName, PeerAddress> take_directory(Membership& membership,
                                                 const wire::Directory& directory) {
  std::map<DeviceName, PeerAddress> peers;
  for (const wire::Directory::Entry& entry : directory.entries()) {
    if (entry.name() == membership.self) continue;
    check_device_name(entry.name());
    PeerAddress peer{parse_numeric_address(entry.address()), entry.key(), {}, entry.relayed()};
    if (membership.guard != nullptr) {
      peer.public_key = public_key_of(entry.public_key());
      if (!peer.public_key) throw WorldError(fmt::format("no key of '{}'", one_line(entry.name())));
      membership.guard->allow(*peer.public_key);
    }
    peers.emplace(entry.name(), peer);
  }
  return peers;
}

wire::Envelope introduction_to(const Membership& membership, const PeerAddress& peer) {
  wire::Envelope introduction;
  introduction.mutable_introduce()->set_name(membership.self);
  introduction.mutable_introduce()->set_key(peer.key);
  return introduction;
}

std::unique_ptr<OwnConnection> connect_to(const Membership& membership, const PeerAddress& peer) {
  return std::make_unique<OwnConnection>(*membership.context, peer, membership.options,
                                         introduction_to(membership, peer));
}

Membership join(const NetWorkerOptions& options) { return Joining(options).run(); }

}  // namespace lingua::internal
