#include <algorithm>
#include <set>

#include "runtime/base/errors.h"
#include "runtime/net/joining.h"

namespace lingua::internal {
namespace {

constexpr std::chrono::milliseconds kAliveInterval{50};

class Gathering {
 public:
  Gathering(Membership& membership, Reception& reception, std::size_t at_least,
            const NetCoordinator::Suffice& suffice)
      : membership_(membership),
        reception_(reception),
        names_(reception.names()),
        at_least_(at_least),
        suffice_(suffice),
        deadline_(Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                     std::min(membership.options.join_timeout, Seconds(1e9)))) {}

  std::vector<DeviceSpec> run(const std::function<void()>& alive) {
    while (!directory_sent_ || ready_.size() < joined_.size()) {
      if (Clock::now() >= deadline_) give_up();
      if (alive) alive();
      wait();
      while (auto incoming = membership_.inbox->receive()) handle(std::move(*incoming));
      membership_.inbox->watch();
      if (!directory_sent_) take_in();
      watch_members();
    }
    return specs();
  }

 private:
  std::vector<DeviceSpec> specs() const {
    std::vector<DeviceSpec> specs;
    for (const DeviceName& name : names_) {
      if (joined_.contains(name)) specs.push_back(joined_.at(name).spec);
    }
    return specs;
  }

  void wait() {
    std::vector<zmq::pollitem_t> items;
    Clock::time_point until = std::min({deadline_, Clock::now() + kAliveInterval,
                                        membership_.inbox->next_watch(), reception_.next_update()});
    membership_.inbox->poll_for(items);
    reception_.poll_for(items);
    for (auto& [name, connection] : membership_.connections) {
      connection->poll_for(items);
      until = std::min(until, connection->next_update());
    }
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
      answer_clock(membership_, incoming.identity, envelope.clock());
    } else if (envelope.has_joined() && directory_sent_) {
      ready_.insert(from);
    } else if (envelope.has_goodbye()) {
      drop(from, "it has left");
    } else if ((is_transport(envelope) && !envelope.has_forward()) || !directory_sent_) {
      throw InputError("message: it was not expected");
    } else {
      membership_.early.push_back(std::move(incoming));
    }
  }

  void handle_stranger(const Incoming& incoming, const wire::Envelope& envelope) {
    if (envelope.has_welcome()) {
      reception_.hear(incoming.identity, envelope);
    } else if (envelope.has_join()) {
      reception_.consider(membership_, incoming, envelope.join());
    } else if (envelope.has_introduce()) {
      ignore(take_introduction(membership_, incoming, envelope.introduce(), false));
    } else {
      ignore("message: it was not expected");
    }
  }

  void ignore(const std::string& why) {
    if (why.empty() || std::exchange(warned_, true)) return;
    say(fmt::format("coordinator: ignoring a connection from outside the run: {}", why));
  }

  void say(const std::string& line) {
    if (membership_.options.say) membership_.options.say(line);
  }

  void take_in() {
    for (Reception::Guest& guest : reception_.take_in(membership_)) {
      send_welcome(membership_, guest, deadline_ - Clock::now());
      const DeviceName name = guest.spec.name;
      joined_.insert_or_assign(name, std::move(guest));
      do_not_suffice_ = false;
    }
    if (joined_.size() < at_least_ || do_not_suffice_) return;
    do_not_suffice_ = suffice_ && !suffice_(specs());
    if (!do_not_suffice_) send_directory();
  }

  void send_directory() {
    directory_sent_ = true;
    reception_.begin();
    const wire::Envelope directory = directory_of(membership_.peers);
    for (const auto& [name, joined] : joined_) {
      membership_.inbox->reply(joined.identity, directory);
    }
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
    if (!joined_.contains(name)) return;
    const std::string what = fmt::format("device '{}' was lost while joining: {}", name, reason);
    if (directory_sent_) {
      dismiss(what);
      throw WorldError(what);
    }
    say(fmt::format("coordinator: {}; waiting for it to come again", what));
    lost_[name] = reason;
    membership_.forget(name);
    joined_.erase(name);
  }

  // Sends those home that have come.
  void dismiss(const std::string& reason) {
    for (const auto& [name, joined] : joined_) {
      send_refusal(membership_, joined.identity, fmt::format("the run does not begin: {}", reason),
                   true);
    }
  }

  [[noreturn]] void give_up() {
    std::vector<std::string> missing;
    for (const DeviceName& name : names_) {
      if (directory_sent_ ? ready_.contains(name) || !joined_.contains(name)
                          : joined_.contains(name))
        continue;
      const auto lost = lost_.find(name);
      missing.push_back(lost == lost_.end()
                            ? name
                            : fmt::format("{} (it came and was lost: {})", name, lost->second));
    }
    const std::string what = fmt::format(
        "after {} {} of {} devices {} at {}: {} missing{}",
        format_quantity(membership_.options.join_timeout.count(), Unit::kSeconds),
        directory_sent_ ? ready_.size() : joined_.size(), names_.size(),
        directory_sent_ ? "have confirmed to the coordinator" : "have joined the coordinator",
        membership_.inbox->address(), fmt::join(missing, ", "),
        at_least_ < names_.size() ? fmt::format("; {} are enough to begin", at_least_) : "");
    dismiss(what);
    throw WorldError(what);
  }

  Membership& membership_;
  Reception& reception_;
  const std::vector<DeviceName>& names_;
  const std::size_t at_least_;
  const NetCoordinator::Suffice& suffice_;
  bool do_not_suffice_ = false;  // those that are there
  const Clock::time_point deadline_;
  std::map<DeviceName, Reception::Guest> joined_;
  std::map<DeviceName, std::string> lost_;  // why, of those that came and went
  std::set<DeviceName> ready_;
  bool directory_sent_ = false;
  bool warned_ = false;
};

}  // namespace

std::vector<DeviceSpec> gather(Membership& membership, Reception& reception, std::size_t at_least,
                               const NetCoordinator::Suffice& suffice,
                               const std::function<void()>& alive) {
  for (const DeviceName& name : reception.names()) check_device_name(name);
  return Gathering(membership, reception, at_least, suffice).run(alive);
}

void send_welcome(const Membership& membership, const Reception::Guest& guest, Seconds wait) {
  wire::Envelope welcome;
  welcome.mutable_welcome()->set_wait_s(std::max(wait, Seconds(0)).count());
  welcome.mutable_welcome()->set_relayed(guest.spec.relayed);
  membership.inbox->reply(guest.identity, welcome);
}

wire::Envelope directory_of(const std::map<DeviceName, PeerAddress>& peers) {
  wire::Envelope directory;
  for (const auto& [name, peer] : peers) {
    wire::Directory::Entry* entry = directory.mutable_directory()->add_entries();
    entry->set_name(name);
    entry->set_address(peer.address.text());
    entry->set_key(peer.key);
    entry->set_relayed(peer.relayed);
    if (peer.public_key) {
      entry->set_public_key(peer.public_key->bytes.data(), peer.public_key->bytes.size());
    }
  }
  return directory;
}

void answer_clock(const Membership& membership, const std::string& identity,
                  const wire::Clock& question) {
  wire::Envelope answer;
  answer.mutable_clock()->set_round(question.round());
  answer.mutable_clock()->set_now_s(membership.clock->now().count());
  membership.inbox->reply(identity, answer);
}

}  // namespace lingua::internal
