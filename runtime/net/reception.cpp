#include "runtime/net/reception.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "runtime/base/errors.h"
#include "runtime/net/address.h"
#include "runtime/net/joining.h"

namespace lingua::internal {
namespace {

constexpr double kPatienceLosses = 1.5;
constexpr std::size_t kMostCandidates = 64;  // beyond the devices that there is a place for

// Why it may not be who it says it is.
std::string doubt(const NetOptions& options, const Incoming& incoming, const wire::Join& join) {
  if (options.admission && incoming.key) {
    return options.admission->refusal(*incoming.key, join.spec().name(), join.token());
  }
  if (options.admission) return "it has no key";
  return join.token() == options.secret || options.secret.empty() ? "" : "it is not of this run";
}

// Its name is its key's from now on. Why not; empty when it is.
std::string remember(const NetOptions& options, const PeerAddress& peer, const DeviceName& name) {
  try {
    if (options.admission) options.admission->remember(*peer.public_key, name);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

void Reception::consider(const Membership& membership, const Incoming& incoming,
                         const wire::Join& join) {
  const std::string& identity = incoming.identity;
  const DeviceName name = one_line(join.spec().name());
  if (candidates_.contains(identity)) return;
  if (join.protocol() != kWireProtocol) {
    refuse(membership, identity,
           fmt::format("device '{}' speaks protocol {}, the coordinator {}: install the same "
                       "version on both",
                       name, join.protocol(), kWireProtocol));
  } else if (std::find(names_.begin(), names_.end(), join.spec().name()) == names_.end()) {
    refuse(membership, identity,
           fmt::format("this run has no device '{}': it {} {}", name,
                       has_begun_ ? "has" : "waits for", fmt::join(names_, ", ")),
           Until::kLater);
  } else if (membership.peers.contains(name) && !has_begun_) {
    refuse(membership, identity, name_in_use(name));
  } else if (candidates_.size() >= kMostCandidates + names_.size()) {
    refuse(membership, identity, "too many ask to join at once; try again", Until::kLater);
  } else if (const std::string why = doubt(membership.options, incoming, join); !why.empty()) {
    refuse(membership, identity, why);
  } else {
    add_candidate(membership, incoming, join);
  }
}

void Reception::add_candidate(const Membership& membership, const Incoming& incoming,
                              const wire::Join& join) {
  const std::string& identity = incoming.identity;
  try {
    Candidate candidate{decode_device_spec(join.spec()),
                        {parse_numeric_address(join.address()), join.key(), incoming.key},
                        {},
                        Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                           kPatienceLosses * membership.options.loss_timeout)};
    if (candidate.spec.relayed) {
      turn_back(membership, identity, candidate);
    } else {
      candidate.connection = connect_to(membership, candidate.peer);
    }
    candidates_.emplace(identity, std::move(candidate));
  } catch (const Error& error) {
    refuse(membership, identity,
           fmt::format("device '{}' listens nowhere: {}", one_line(join.spec().name()),
                       one_line(error.what())));
  } catch (const zmq::error_t& error) {
    refuse(membership, identity,
           fmt::format("device '{}' cannot be taken in: {}", one_line(join.spec().name()),
                       error.what()));
  }
}

void Reception::turn_back(const Membership& membership, const std::string& identity,
                          Candidate& candidate) {
  candidate.spec.relayed = candidate.peer.relayed = true;
  candidate.connection =
      std::make_unique<BackConnection>(*membership.inbox, identity, membership.options.loss_timeout,
                                       introduction_to(membership, candidate.peer));
}

void Reception::hear(const std::string& identity, const wire::Envelope& answer) {
  const auto candidate = candidates_.find(identity);
  if (candidate != candidates_.end() && candidate->second.spec.relayed)
    candidate->second.connection->take_answer(answer);
}

void Reception::tell_relayed(const Candidate& candidate) const {
  if (!say_) return;
  say_(
      fmt::format("coordinator: '{}' takes no connections{}; what other devices send it comes "
                  "through here, which is "
                  "slower",
                  candidate.spec.name, candidate.why_relayed));
}

std::vector<Reception::Guest> Reception::take_in(Membership& membership) {
  std::vector<Guest> guests;
  for (auto it = candidates_.begin(); it != candidates_.end();) {
    auto& [identity, candidate] = *it;
    Connection::State state = candidate.connection->update();
    if (candidate.connection->never_reached()) {
      candidate.why_relayed = fmt::format(" ({})", candidate.connection->reason());
      turn_back(membership, identity, candidate);
      state = candidate.connection->state();
    }
    const bool is_there = membership.inbox->is_open(identity);
    const DeviceName name = candidate.spec.name;
    const bool is_taken = membership.peers.contains(name);
    const bool waits = state == Connection::State::kConnecting ||
                       (is_taken && has_begun_ && state == Connection::State::kUp &&
                        Clock::now() < candidate.patience);
    if (is_there && waits) {
      ++it;
      continue;
    }
    if (state == Connection::State::kDown) {
      refuse(
          membership, identity,
          fmt::format("device '{}' cannot be taken in: {}", name, candidate.connection->reason()));
    } else if (is_taken) {
      refuse(membership, identity, name_in_use(name));
    } else if (is_there) {
      const std::string why = remember(membership.options, candidate.peer, name);
      if (!why.empty()) {
        refuse(membership, identity, fmt::format("device '{}' cannot be taken in: {}", name, why));
      } else {
        if (candidate.spec.relayed) tell_relayed(candidate);
        membership.forget(name);  // a process that had the name before
        membership.connections.emplace(name, std::move(candidate.connection));
        membership.peers.emplace(name, candidate.peer);
        membership.identities[identity] = name;
        membership.inbox->identify(identity, name);
        guests.push_back({identity, candidate.spec});
      }
    }
    it = candidates_.erase(it);
  }
  return guests;
}

void Reception::poll_for(std::vector<zmq::pollitem_t>& items) {
  for (auto& [identity, candidate] : candidates_) candidate.connection->poll_for(items);
}

Clock::time_point Reception::next_update() const {
  Clock::time_point next = Clock::now() + std::chrono::hours(1);
  for (const auto& [identity, candidate] : candidates_) {
    next = std::min(next, candidate.connection->next_update());
    if (candidate.patience > Clock::now()) next = std::min(next, candidate.patience);
  }
  return next;
}

void Reception::refuse(const Membership& membership, const std::string& identity,
                       const std::string& reason, Until until) {
  send_refusal(membership, identity, reason, until == Until::kLater);
  refusals_.tell("coordinator: refused: " + reason);
}

void send_refusal(const Membership& membership, const std::string& identity,
                  const std::string& reason, bool for_now) {
  wire::Envelope refusal;
  refusal.mutable_refused()->set_reason(reason);
  refusal.mutable_refused()->set_protocol(kWireProtocol);
  refusal.mutable_refused()->set_for_now(for_now);
  membership.inbox->reply(identity, refusal);
}

}  // namespace lingua::internal
