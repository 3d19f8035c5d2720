#include <algorithm>
#include <set>

#include "runtime/base/errors.h"
#include "runtime/net/address.h"
#include "runtime/net/joining.h"

namespace lingua::internal {
namespace {

constexpr std::chrono::milliseconds kAliveInterval{50};
constexpr std::size_t kMostCandidates = 64;  // beyond the devices that are waited for

class Gathering {
 public:
  Gathering(Membership& membership, const std::vector<DeviceName>& names)
      : membership_(membership),
        names_(names),
        deadline_(Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                     std::min(membership.options.join_timeout, Seconds(1e9)))) {}

  std::vector<DeviceSpec> run(const std::function<void()>& alive) {
    while (ready_.size() < names_.size()) {
      if (Clock::now() >= deadline_) give_up();
      if (alive) alive();
      wait();
      while (auto incoming = membership_.inbox->receive()) handle(std::move(*incoming));
      membership_.inbox->watch();
      watch_candidates();
      watch_members();
    }
    if (membership_.guard != nullptr) {
      for (const auto& [name, peer] : membership_.peers) membership_.guard->allow(*peer.public_key);
      membership_.guard->open(false);
    }
    std::vector<DeviceSpec> specs;
    for (const DeviceName& name : names_) specs.push_back(joined_.at(name).spec);
    return specs;
  }

 private:
  // Who asked to join, until its own inbox has answered: only then the name is its.
  struct Candidate {
    DeviceSpec spec;
    PeerAddress peer;
    std::unique_ptr<Connection> connection;
  };
  struct Joined {
    std::string identity;
    DeviceSpec spec;
  };

  void wait() {
    std::vector<zmq::pollitem_t> items;
    Clock::time_point until =
        std::min({deadline_, Clock::now() + kAliveInterval, membership_.inbox->next_watch()});
    const auto add = [&](Connection& connection) {
      connection.poll_for(items);
      until = std::min(until, connection.next_update());
    };
    membership_.inbox->poll_for(items);
    for (auto& [identity, candidate] : candidates_) add(*candidate.connection);
    for (auto& [name, connection] : membership_.connections) add(*connection);
    wait_readable(items, until);
  }

  void handle(Incoming incoming) {
    const DeviceName from = membership_.sender(incoming);
    try {
      if (incoming.frames.empty()) throw InputError("message: no frames");
      wire::Envelope envelope;
      parse_envelope(incoming.frames.front().bytes, &envelope);
      if (from.empty()) {
        handle_stranger(incoming, envelope);
      } else {
        handle_member(from, envelope, std::move(incoming));
      }
    } catch (const InputError& error) {
      if (from.empty()) {
        ignore(error.what());
      } else {
        drop(from, fmt::format("answers nonsense: {}", error.what()));
      }
    }
  }

  void handle_member(const DeviceName& from, const wire::Envelope& envelope, Incoming incoming) {
    if (envelope.has_clock()) {
      answer_clock(incoming.identity, envelope.clock());
    } else if (envelope.has_joined() && directory_sent_) {
      ready_.insert(from);
    } else if (envelope.has_goodbye()) {
      drop(from, "it has left");
    } else if (is_transport(envelope) || !directory_sent_) {
      throw InputError("message: it was not expected");
    } else {
      membership_.early.push_back(std::move(incoming));
    }
  }

  void handle_stranger(const Incoming& incoming, const wire::Envelope& envelope) {
    if (envelope.has_join()) {
      consider(incoming, envelope.join());
    } else if (envelope.has_introduce()) {
      ignore(take_introduction(membership_, incoming, envelope.introduce(), false));
    } else {
      ignore("message: it was not expected");
    }
  }

  void ignore(const std::string& why) {
    if (why.empty() || std::exchange(warned_, true)) return;
    tell("lingua: coordinator: ignoring a connection from outside the run: {}\n", why);
  }

  void consider(const Incoming& incoming, const wire::Join& in) {
    const std::string& identity = incoming.identity;
    const DeviceName name = one_line(in.spec().name());
    if (candidates_.contains(identity)) return;
    if (in.protocol() != kWireProtocol) {
      refuse(identity,
             fmt::format("device '{}' speaks protocol {}, the coordinator {}: install the "
                         "same version on both",
                         name, in.protocol(), kWireProtocol));
    } else if (std::find(names_.begin(), names_.end(), in.spec().name()) == names_.end()) {
      refuse(identity,
             fmt::format("this run has no device '{}': it waits for {}", name,
                         fmt::join(names_, ", ")),
             Until::kLater);
    } else if (joined_.contains(name)) {
      refuse(identity, name_in_use(name));
    } else if (candidates_.size() >= kMostCandidates + names_.size()) {
      refuse(identity, "too many ask to join at once; try again", Until::kLater);
    } else if (const std::string why = refusal(incoming, in); !why.empty()) {
      refuse(identity, why);
    } else {
      add_candidate(incoming, in);
    }
  }

  // Why it may not be who it says it is.
  std::string refusal(const Incoming& incoming, const wire::Join& in) const {
    const NetOptions& options = membership_.options;
    if (options.admission && incoming.key) {
      return options.admission->refusal(*incoming.key, in.spec().name(), in.token());
    }
    if (options.admission) return "it has no key";
    return in.token() == options.secret || options.secret.empty() ? "" : "it is not of this run";
  }

  void add_candidate(const Incoming& incoming, const wire::Join& in) {
    const std::string& identity = incoming.identity;
    try {
      Candidate candidate{decode_device_spec(in.spec()),
                          {parse_numeric_address(in.address()), in.key(), incoming.key},
                          {}};
      candidate.connection = connect_to(membership_, candidate.peer);
      candidates_.emplace(identity, std::move(candidate));
    } catch (const Error& error) {
      refuse(identity, fmt::format("device '{}' listens nowhere: {}", one_line(in.spec().name()),
                                   one_line(error.what())));
    } catch (const zmq::error_t& error) {
      refuse(identity, fmt::format("device '{}' cannot be taken in: {}", one_line(in.spec().name()),
                                   error.what()));
    }
  }

  enum class Until { kLater, kEver };

  void refuse(const std::string& identity, const std::string& reason, Until until = Until::kEver) {
    send_refusal(identity, reason, until);
    refusals_.tell("lingua: coordinator: refused: " + reason);
  }

  void send_refusal(const std::string& identity, const std::string& reason, Until until) {
    wire::Envelope refusal;
    refusal.mutable_refused()->set_reason(reason);
    refusal.mutable_refused()->set_protocol(kWireProtocol);
    refusal.mutable_refused()->set_for_now(until == Until::kLater);
    membership_.inbox->reply(identity, refusal);
  }

  void watch_candidates() {
    for (auto it = candidates_.begin(); it != candidates_.end();) {
      auto& [identity, candidate] = *it;
      const Connection::State state = candidate.connection->update();
      const bool is_there = membership_.inbox->is_open(identity);
      if (is_there && state == Connection::State::kConnecting) {
        ++it;
        continue;
      }
      const DeviceName& name = candidate.spec.name;
      if (state == Connection::State::kDown) {
        refuse(identity, fmt::format("device '{}' cannot be taken in: {}", name,
                                     candidate.connection->reason()));
      } else if (joined_.contains(name)) {
        refuse(identity, name_in_use(name));
      } else if (is_there) {
        if (const std::string why = remember(candidate); !why.empty()) {
          refuse(identity, fmt::format("device '{}' cannot be taken in: {}", name, why));
        } else {
          take_in(identity, std::move(candidate));
        }
      }
      it = candidates_.erase(it);
    }
  }

  // Its name is its key's from now on. Why not; empty when it is.
  std::string remember(const Candidate& candidate) {
    const std::shared_ptr<Admission>& admission = membership_.options.admission;
    try {
      if (admission) admission->remember(*candidate.peer.public_key, candidate.spec.name);
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  }

  void take_in(const std::string& identity, Candidate candidate) {
    const DeviceName name = candidate.spec.name;
    membership_.connections.emplace(name, std::move(candidate.connection));
    membership_.peers.emplace(name, candidate.peer);
    membership_.identities.emplace(identity, name);
    membership_.inbox->identify(identity, name);
    joined_.emplace(name, Joined{identity, candidate.spec});
    wire::Envelope welcome;
    welcome.mutable_welcome()->set_wait_s(Seconds(deadline_ - Clock::now()).count());
    membership_.inbox->reply(identity, welcome);
    if (joined_.size() == names_.size()) send_directory();
  }

  void send_directory() {
    directory_sent_ = true;
    wire::Envelope directory;
    for (const auto& [name, peer] : membership_.peers) {
      wire::Directory::Entry* entry = directory.mutable_directory()->add_entries();
      entry->set_name(name);
      entry->set_address(peer.address.text());
      entry->set_key(peer.key);
      if (peer.public_key) {
        entry->set_public_key(peer.public_key->bytes.data(), peer.public_key->bytes.size());
      }
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

  void watch_members() {
    std::vector<std::pair<DeviceName, std::string>> lost;
    for (auto& [name, connection] : membership_.connections) {
      if (membership_.inbox->has_moved(name)) connection->note_life();
      if (connection->update() == Connection::State::kDown) {
        lost.emplace_back(name, connection->reason());
      } else if (!membership_.inbox->is_open(joined_.at(name).identity)) {
        lost.emplace_back(name, "its connection ended");
      }
    }
    for (const auto& [name, reason] : lost) drop(name, reason);
  }

  // Its place is free again, unless the others have been told of it.
  void drop(const DeviceName& name, const std::string& reason) {
    const auto found = joined_.find(name);
    if (found == joined_.end()) return;
    const std::string what = fmt::format("device '{}' was lost while joining: {}", name, reason);
    if (directory_sent_) {
      dismiss(what);
      throw WorldError(what);
    }
    tell("lingua: coordinator: {}; waiting for it to come again\n", what);
    lost_[name] = reason;
    membership_.connections.erase(name);
    membership_.peers.erase(name);
    membership_.identities.erase(found->second.identity);
    membership_.inbox->identify(found->second.identity, "");
    joined_.erase(found);
  }

  // Sends those home that have come.
  void dismiss(const std::string& reason) {
    for (const auto& [name, joined] : joined_) {
      send_refusal(joined.identity, fmt::format("the run does not begin: {}", reason),
                   Until::kLater);
    }
  }

  [[noreturn]] void give_up() {
    std::vector<std::string> missing;
    for (const DeviceName& name : names_) {
      if (directory_sent_ ? ready_.contains(name) : joined_.contains(name)) continue;
      const auto lost = lost_.find(name);
      missing.push_back(lost == lost_.end()
                            ? name
                            : fmt::format("{} (it came and was lost: {})", name, lost->second));
    }
    const std::string what = fmt::format(
        "after {} {} of {} devices {} at {}: {} missing",
        format_quantity(membership_.options.join_timeout.count(), Unit::kSeconds),
        names_.size() - missing.size(), names_.size(),
        directory_sent_ ? "have confirmed to the coordinator" : "have joined the coordinator",
        membership_.inbox->address(), fmt::join(missing, ", "));
    dismiss(what);
    throw WorldError(what);
  }

  Membership& membership_;
  const std::vector<DeviceName>& names_;
  const Clock::time_point deadline_;
  std::map<std::string, Candidate> candidates_;  // by identity
  std::map<DeviceName, Joined> joined_;
  std::map<DeviceName, std::string> lost_;  // why, of those that came and went
  std::set<DeviceName> ready_;
  bool directory_sent_ = false;
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
