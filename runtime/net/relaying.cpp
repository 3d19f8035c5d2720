// How messages go through the coordinator.

#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"
#include "runtime/net/joining.h"
#include "runtime/net/mailroom.h"

namespace lingua::internal {
namespace {

// Before the frames of a message: whom it is for, or from.
Frame forward_frame(const DeviceName& peer) {
  wire::Envelope forward;
  forward.mutable_forward()->set_peer(peer);
  return make_control_frame(forward);
}

}  // namespace

// ---- the coordinator ----

// The frames are not looked at: who gets them does.
void Mailroom::pass_on(const DeviceName& from, Incoming incoming, const DeviceName& to) {
  {
    const std::lock_guard lock(mutex_);
    if (to == from || incoming.frames.size() < 2 || !names_.contains(to))
      throw InputError("message: forward: it is for nobody else");
  }
  if (relays_.emplace(from, to).second) tell_relayed(from, to);
  const auto way = membership_.connections.find(to);
  if (way == membership_.connections.end()) {  // who is suspected is lost soon, and that is told
    if (!suspicions_.contains(to)) end_relaying(to, "it is not there any more");
    return;
  }
  double bytes = 0;
  for (std::size_t i = 1; i < incoming.frames.size(); ++i)
    bytes += static_cast<double>(incoming.frames[i].bytes.size());
  incoming.frames.front() = forward_frame(from);
  way->second->send(std::move(incoming.frames));
  const std::lock_guard lock(mutex_);
  RelayedLink& link = relayed_[{from, to}];
  link.from = from;
  link.to = to;
  ++link.messages;
  link.bytes += bytes;
}

void Mailroom::tell_relayed(const DeviceName& from, const DeviceName& to) {
  if (!membership_.options.say) return;
  const auto peer = membership_.peers.find(to);
  const bool takes_none = peer != membership_.peers.end() && peer->second.relayed;
  membership_.options.say(
      fmt::format("coordinator: what '{}' sends to '{}' comes through here, which is slower: {}",
                  from, to, takes_none ? "that takes no connections" : "it cannot connect to it"));
}

// Who talks to it hears of the loss, after all that came from it.
void Mailroom::end_relaying(const DeviceName& peer, const std::string& reason) {
  std::set<DeviceName> others;
  std::erase_if(relays_, [&](const auto& relay) {
    if (relay.first != peer && relay.second != peer) return false;
    others.insert(relay.first == peer ? relay.second : relay.first);
    return true;
  });
  for (const DeviceName& other : others) tell_gone(other, peer, reason);
}

void Mailroom::tell_gone(const DeviceName& who, const DeviceName& peer, const std::string& reason) {
  const auto way = membership_.connections.find(who);
  if (way == membership_.connections.end()) return;
  wire::Envelope gone;
  gone.mutable_gone()->set_peer(peer);
  gone.mutable_gone()->set_reason(one_line(reason));
  way->second->send(gone);
}

std::vector<RelayedLink> Mailroom::relayed() const {
  const std::lock_guard lock(mutex_);
  std::vector<RelayedLink> links;
  for (const auto& [ends, link] : relayed_) links.push_back(link);
  return links;
}

// ---- the workers ----

void Mailroom::send_through_coordinator(const DeviceName& to, std::vector<Frame> frames) {
  const auto coordinator = membership_.connections.find(kCoordinator);
  if (coordinator == membership_.connections.end()) return;  // all is lost with it
  frames.insert(frames.begin(), forward_frame(to));
  coordinator->second->send(std::move(frames));
}

// Whether what was to go over this connection, which is down, goes through the coordinator from now on.
bool Mailroom::go_through_coordinator(const DeviceName& to, Connection& connection) {
  const auto peer = membership_.peers.find(to);
  if (reception_ || to == kCoordinator || peer == membership_.peers.end() ||
      !connection.never_reached())
    return false;
  peer->second.relayed = true;
  if (membership_.options.say)
    membership_.options.say(
        fmt::format("{}: what it sends to '{}' goes through the coordinator: {}", membership_.self,
                    to, connection.reason()));
  for (std::vector<Frame>& frames : connection.take_unsent())
    send_through_coordinator(to, std::move(frames));
  return true;
}

void Mailroom::take_forwarded(Incoming incoming, const DeviceName& from) {
  const Seconds arrived = clock_.now();
  if (!membership_.peers.contains(from) || from == kCoordinator || lost_.contains(from)) return;
  come_through_.insert(from);
  incoming.frames.erase(incoming.frames.begin());
  try {
    if (incoming.frames.empty()) throw InputError("message: no frames; at least one was expected");
    wire::Envelope envelope;
    parse_envelope(incoming.frames.front().bytes, &envelope);
    take(from, envelope, incoming.frames, arrived);
  } catch (const InputError& error) {
    lose(from, fmt::format("answers nonsense: {}", error.what()));
  } catch (const WorldError& error) {
    lose(from, fmt::format("sends what this device cannot hold: {}", error.what()));
  }
}

// Of one to which nothing was sent nobody here needs to hear.
void Mailroom::take_gone(const wire::Gone& gone) {
  const DeviceName& name = gone.peer();
  const auto peer = membership_.peers.find(name);
  if (peer == membership_.peers.end() || name == kCoordinator) return;
  if (peer->second.relayed || membership_.connections.contains(name) || suspicions_.contains(name))
    lose(name, one_line(gone.reason()));
}

}  // namespace lingua::internal
