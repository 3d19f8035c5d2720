#include <algorithm>

#include "runtime/base/errors.h"
#include "runtime/net/address.h"
#include "runtime/net/joining.h"

namespace lingua::internal {
namespace {

constexpr std::chrono::milliseconds kAliveInterval{50};

class Gathering {
 public:
  Gathering(Membership& membership, const std::vector<DeviceName>& names)
      : membership_(membership), names_(names) {}

  std::vector<DeviceSpec> run(const std::function<void()>& alive) {
    const Seconds timeout = membership_.options.join_timeout;
    const auto deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(timeout);
    while (ready_.size() < names_.size()) {
      if (Clock::now() >= deadline) throw WorldError(missing());
      if (alive) alive();
      wait(std::min(deadline, Clock::now() + kAliveInterval));
      while (auto incoming = membership_.inbox->receive()) handle(std::move(*incoming));
      watch_connections();
    }
    std::vector<DeviceSpec> specs;
    for (const DeviceName& name : names_) specs.push_back(joined_.at(name).spec);
    return specs;
  }

 private:
  struct Joined {
    std::string identity;
    DeviceSpec spec;
  };

  void wait(Clock::time_point deadline) {
    std::vector<zmq::pollitem_t> items{poll_item(membership_.inbox->socket())};
    for (auto& [name, connection] : membership_.connections) {
      items.push_back(poll_item(connection->monitor()));
    }
    wait_readable(items, deadline);
  }

  void handle(Incoming incoming) {
    const auto known = membership_.identities.find(incoming.identity);
    const DeviceName from = known == membership_.identities.end() ? "" : known->second;
    wire::Envelope envelope;
    try {
      if (incoming.frames.empty()) throw InputError("message: no frames");
      parse_envelope(incoming.frames.front().bytes, &envelope);
      switch (envelope.body_case()) {
        case wire::Envelope::kJoin: join(incoming.identity, from, envelope.join()); return;
        case wire::Envelope::kClock: answer_clock(incoming.identity, envelope.clock()); return;
        case wire::Envelope::kJoined:
          if (!from.empty()) ready_.insert({from, true});
          return;
        case wire::Envelope::kGoodbye:
          if (!from.empty()) throw WorldError(fmt::format("device '{}' left while joining", from));
          return;
        default: break;
      }
      if (from.empty() || is_transport(envelope)) throw InputError("message: it was not expected");
      membership_.early.push_back(std::move(incoming));
    } catch (const InputError& error) {
      if (!from.empty()) {
        throw WorldError(fmt::format("device '{}' answers nonsense: {}", from, error.what()));
      }
      if (!std::exchange(warned_, true)) {
        tell("lingua: coordinator: ignoring a connection from outside the run: {}\n", error.what());
      }
    }
  }

  void join(const std::string& identity, const DeviceName& from, const wire::Join& in) {
    const DeviceName name = one_line(in.spec().name());
    const bool expected = std::find(names_.begin(), names_.end(), name) != names_.end();
    std::string reason;
    if (in.protocol() != kWireProtocol) {
      reason = fmt::format(
          "device '{}' speaks protocol {}, the coordinator {}: install the same version on both",
          name, in.protocol(), kWireProtocol);
    } else if (!from.empty() || joined_.count(name) != 0) {
      reason = fmt::format("device '{}' joins twice: start one worker of each name", name);
    } else if (!expected) {
      reason = fmt::format("this run has no device '{}': it waits for {}", name,
                           fmt::join(names_, ", "));
    }
    if (!reason.empty()) {
      wire::Envelope refusal;
      refusal.mutable_refused()->set_reason(reason);
      refusal.mutable_refused()->set_protocol(kWireProtocol);
      membership_.inbox->reply(identity, refusal);
      if (expected) throw WorldError(reason);
      refusals_.tell("lingua: coordinator: refused: " + reason);
      return;
    }
    Joined joined{identity, decode_device_spec(in.spec())};
    add(name, std::move(joined), in);
    if (joined_.size() == names_.size()) send_directory();
  }

  // Takes a worker in and connects to its inbox.
  void add(const DeviceName& name, Joined joined, const wire::Join& in) {
    std::string address;
    try {
      address = parse_address(in.address()).text();
    } catch (const WorldError& error) {
      throw WorldError(fmt::format("device '{}' listens nowhere: {}", name, error.what()));
    }
    auto connection = std::make_unique<Connection>(*membership_.context, address,
                                                   membership_.options.loss_timeout);
    wire::Envelope introduction;
    introduction.mutable_introduce()->set_name(kCoordinator);
    introduction.mutable_introduce()->set_key(in.key());
    connection->send(introduction);
    membership_.connections.emplace(name, std::move(connection));
    membership_.identities.emplace(joined.identity, name);
    membership_.peers.emplace(name, PeerAddress{address, in.key()});
    joined_.emplace(name, std::move(joined));
  }

  void send_directory() {
    wire::Envelope directory;
    for (const auto& [name, peer] : membership_.peers) {
      wire::Directory::Entry* entry = directory.mutable_directory()->add_entries();
      entry->set_name(name);
      entry->set_address(peer.address);
      entry->set_key(peer.key);
    }
    for (const auto& [name, joined] : joined_) {
      membership_.inbox->reply(joined.identity, directory);
    }
  }

  void answer_clock(const std::string& identity, const wire::Clock& question) {
    wire::Envelope answer;
    answer.mutable_clock()->set_round(question.round());
    answer.mutable_clock()->set_now_s(membership_.clock->now().count());
    membership_.inbox->reply(identity, answer);
  }

  void watch_connections() {
    for (auto& [name, connection] : membership_.connections) {
      if (connection->update() == Connection::State::kDown) {
        throw WorldError(
            fmt::format("device '{}' was lost while joining: {}", name, connection->reason()));
      }
    }
  }

  std::string missing() const {
    std::vector<DeviceName> missing;
    const bool all_joined = joined_.size() == names_.size();
    for (const DeviceName& name : names_) {
      if (all_joined ? ready_.count(name) == 0 : joined_.count(name) == 0) missing.push_back(name);
    }
    return fmt::format(
        "after {} {} of {} devices {} at tcp://*:{}: {} missing",
        format_quantity(membership_.options.join_timeout.count(), Unit::kSeconds),
        names_.size() - missing.size(), names_.size(),
        all_joined ? "have confirmed to the coordinator" : "have joined the coordinator",
        membership_.inbox->port(), fmt::join(missing, ", "));
  }

  Membership& membership_;
  const std::vector<DeviceName>& names_;
  std::map<DeviceName, Joined> joined_;
  std::map<DeviceName, bool> ready_;
  bool warned_ = false;
  FewLines refusals_{"refusals"};
};

}  // namespace

std::vector<DeviceSpec> gather(Membership& membership, const std::vector<DeviceName>& names,
                               const std::function<void()>& alive) {
  for (const DeviceName& name : names) check_device_name(name);
  return Gathering(membership, names).run(alive);
}

}  // namespace lingua::internal
