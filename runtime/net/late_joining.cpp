// How devices join while a run goes on.

#include <algorithm>
#include <utility>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/net/joining.h"
#include "runtime/net/mailroom.h"

namespace lingua::internal {

// ---- the coordinator ----

void Mailroom::take_in_late() {
  for (const Reception::Guest& guest : reception_->take_in(membership_)) begin_arrival(guest);
}

void Mailroom::begin_arrival(const Reception::Guest& guest) {
  const DeviceName& name = guest.spec.name;
  lost_.erase(name);
  suspicions_.erase(name);
  arrivals_[name] = {guest.spec, ++last_round_, false, {}};
  send_welcome(membership_, guest, membership_.options.join_timeout);
  membership_.inbox->reply(guest.identity, directory_of(membership_.peers));
}

// Of the directory that `from` was sent when it came, or of one that has told it of another.
void Mailroom::confirm(const DeviceName& from, std::int64_t round) {
  const auto own = arrivals_.find(from);
  if (own != arrivals_.end() && round == 0 && !own->second.knows_others) {
    Arrival& arrival = own->second;
    arrival.knows_others = true;
    wire::Envelope news = directory_of({{from, membership_.peers.at(from)}});
    news.mutable_directory()->set_round(arrival.round);
    for (auto& [name, connection] : membership_.connections) {
      if (name == from) continue;
      connection->send(news);
      arrival.unconfirmed.insert(name);
    }
  }
  for (auto& [name, arrival] : arrivals_) {
    if (arrival.round == round) arrival.unconfirmed.erase(from);
  }
  finish_arrivals();
}

void Mailroom::finish_arrivals() {
  for (auto it = arrivals_.begin(); it != arrivals_.end();) {
    Arrival& arrival = it->second;
    if (!arrival.knows_others || !arrival.unconfirmed.empty()) {
      ++it;
      continue;
    }
    Message message;
    message.from = it->first;
    message.sent = message.arrived = clock_.now();
    message.body = Hello{std::move(arrival.spec)};
    it = arrivals_.erase(it);
    deliver(std::move(message));
  }
}

// Its place is free from now on. Where it is there after all, it learns that it has to come again.
void Mailroom::leave_out(const DeviceName& peer, const std::string& reason) {
  for (const auto& [identity, name] : membership_.identities) {
    if (name == peer)
      send_refusal(membership_, identity,
                   fmt::format("the run goes on without this worker: {}", reason), true);
  }
  membership_.peers.erase(peer);
  arrivals_.erase(peer);
  for (auto& [name, arrival] : arrivals_) arrival.unconfirmed.erase(peer);
  finish_arrivals();
}

// ---- the workers ----

void Mailroom::take_newcomers(const wire::Directory& directory) {
  std::map<DeviceName, PeerAddress> newcomers;
  try {
    newcomers = take_directory(membership_, directory);
  } catch (const WorldError& error) {
    throw InputError(error.what());
  }
  for (auto& [name, peer] : newcomers) {
    meet_again(name);
    membership_.peers.emplace(name, std::move(peer));
  }
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, peer] : membership_.peers) names_.insert(name);
  }
  wire::Envelope answer;
  answer.mutable_joined()->set_round(directory.round());
  const auto coordinator = membership_.connections.find(kCoordinator);
  if (coordinator != membership_.connections.end()) coordinator->second->send(answer);
}

// What this side has of a process that had the name before.
void Mailroom::meet_again(const DeviceName& name) {
  membership_.forget(name);
  lost_.erase(name);
  suspicions_.erase(name);
  come_through_.erase(name);
}

}  // namespace lingua::internal
