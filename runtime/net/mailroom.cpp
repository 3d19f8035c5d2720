#include "runtime/net/mailroom.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <iterator>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/net/joining.h"

namespace lingua::internal {
namespace {

constexpr std::chrono::milliseconds kGrace{100};  // for what a broken peer sent before
constexpr std::chrono::seconds kLinger{2};        // for what was sent before the end
constexpr int kMessagesPerRound = 256;            // read before looking at the rest again

}  // namespace

Mailroom::Mailroom(Membership membership, std::unique_ptr<Reception> reception)
    : clock_(*membership.clock),
      slow_network_(membership.options.slow_network),
      membership_(std::move(membership)),
      reception_(std::move(reception)) {
  for (const auto& [name, peer] : membership_.peers) names_.insert(name);
  if (reception_) names_.insert(reception_->names().begin(), reception_->names().end());
  wake_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wake_ < 0) throw WorldError(fmt::format("cannot make an eventfd: {}", std::strerror(errno)));
  // Signals are for the program's own threads.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Mailroom::~Mailroom() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  eventfd_write(wake_, 1);
  thread_.join();
  close(wake_);
}

void Mailroom::send(const DeviceName& to, MessageBody body) {
  if (to == membership_.self) {
    put(to, std::move(body));
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    if (!names_.contains(to))
      throw WorldError(fmt::format("this run has no device '{}'", one_line(to)));
  }
  Message message;
  message.from = membership_.self;
  message.sent = clock_.now();
  message.body = std::move(body);
  Outgoing outgoing{to, encode(message)};
  if (slow_network_) {
    double bytes = 0;
    for (const Frame& frame : outgoing.frames) bytes += static_cast<double>(frame.bytes.size());
    slow_network_->send(to, bytes);
  }
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    first = outgoing_.empty();
    outgoing_.push_back(std::move(outgoing));
  }
  if (first) eventfd_write(wake_, 1);
}

std::optional<Message> Mailroom::receive(Seconds deadline) {
  const Clock::time_point until = clock_.at(deadline);
  std::unique_lock lock(mutex_);
  while (true) {
    release_arrived();
    if (!inbox_.empty()) break;
    if (Clock::now() >= until) return std::nullopt;
    arrived_.wait_until(lock, std::min(until, next_release()));
  }
  Message message = std::move(inbox_.front());
  inbox_.pop_front();
  return message;
}

void Mailroom::put(const DeviceName& from, MessageBody body) {
  const Seconds now = clock_.now();
  {
    const std::lock_guard lock(mutex_);
    inbox_.push_back({from, std::move(body), now, now, 0});  // it came over no network
  }
  arrived_.notify_one();
}

std::optional<std::string> Mailroom::unheard_end() {
  const std::lock_guard lock(mutex_);
  release_arrived();
  for (const Message& message : inbox_) {
    if (message.from != kCoordinator) continue;
    if (std::holds_alternative<Stop>(message.body)) return "";
    if (const auto* lost = std::get_if<PeerLost>(&message.body)) return lost->reason;
  }
  return std::nullopt;
}

void Mailroom::deliver(Message message) {
  {
    const std::lock_guard lock(mutex_);
    const bool is_held = slow_network_ && names_.contains(message.from);
    (is_held ? held_[message.from] : inbox_).push_back(std::move(message));
  }
  arrived_.notify_one();
}

void Mailroom::release_arrived() {
  std::vector<Message> arrived;
  for (auto& [from, messages] : held_) {
    Seconds last{0};
    for (; !messages.empty(); messages.pop_front()) {
      Message& next = messages.front();
      const bool is_news =
          std::holds_alternative<PeerLost>(next.body) || std::holds_alternative<Hello>(next.body);
      if (!is_news) {  // which goes over no network
        const auto when = slow_network_->take_arrival(from, clock_.of(next.arrived));
        if (!when) break;
        next.arrived = clock_.of(*when);
      }
      next.arrived = last = std::max(next.arrived, last);
      arrived.push_back(std::move(next));
    }
  }
  std::stable_sort(arrived.begin(), arrived.end(),
                   [](const Message& a, const Message& b) { return a.arrived < b.arrived; });
  std::move(arrived.begin(), arrived.end(), std::back_inserter(inbox_));
}

Clock::time_point Mailroom::next_release() {
  const bool waits = std::any_of(held_.begin(), held_.end(),
                                 [](const auto& item) { return !item.second.empty(); });
  return waits ? slow_network_->next_look() : Clock::time_point::max();
}

void Mailroom::run() {
  try {
    loop();
    say_goodbye();
  } catch (const zmq::error_t& error) {
    const std::map<DeviceName, PeerAddress> peers = membership_.peers;
    for (const auto& [name, address] : peers) {
      lose(name, fmt::format("the network failed on this side: {}", error.what()));
    }
  }
  reception_.reset();
  membership_.connections.clear();
  membership_.inbox.reset();
  membership_.guard.reset();
  membership_.context.reset();
}

void Mailroom::loop() {
  for (Incoming& incoming : std::exchange(membership_.early, {})) handle(std::move(incoming));
  while (take_outgoing()) {
    take_incoming();
    watch_connections();
    if (reception_) take_in_late();
    wait({{nullptr, wake_, ZMQ_POLLIN, 0}}, Clock::now() + std::chrono::hours(1));
  }
}

void Mailroom::wait(std::vector<zmq::pollitem_t> items, Clock::time_point deadline) {
  membership_.inbox->poll_for(items);
  deadline = std::min(deadline, membership_.inbox->next_watch());
  for (auto& [name, connection] : membership_.connections) {
    connection->poll_for(items);
    deadline = std::min(deadline, connection->next_update());
  }
  for (const auto& [name, suspicion] : suspicions_) deadline = std::min(deadline, suspicion.until);
  if (reception_) {
    reception_->poll_for(items);
    deadline = std::min(deadline, reception_->next_update());
  }
  wait_readable(items, deadline);
}

bool Mailroom::take_outgoing() {
  eventfd_t ignored = 0;
  eventfd_read(wake_, &ignored);
  std::deque<Outgoing> batch;
  bool ending = false;
  {
    const std::lock_guard lock(mutex_);
    batch.swap(outgoing_);
    ending = ending_;
  }
  for (Outgoing& outgoing : batch) send_out(std::move(outgoing));
  return !ending;
}

void Mailroom::send_out(Outgoing outgoing) {
  const DeviceName& to = outgoing.to;
  const auto known = membership_.peers.find(to);
  if (known == membership_.peers.end() || lost_.contains(to) || suspicions_.contains(to)) return;
  if (known->second.relayed && !reception_) {
    send_through_coordinator(to, std::move(outgoing.frames));
    return;
  }
  auto found = membership_.connections.find(to);
  if (found == membership_.connections.end()) {
    const PeerAddress& peer = known->second;
    try {
      found = membership_.connections.emplace(to, connect_to(membership_, peer)).first;
    } catch (const zmq::error_t& error) {
      lose(to, fmt::format("it cannot be reached at {}: {}", peer.address.text(), error.what()));
      return;
    }
  }
  found->second->send(std::move(outgoing.frames));
}

void Mailroom::take_incoming() {
  for (int i = 0; i < kMessagesPerRound; ++i) {
    std::optional<Incoming> incoming = membership_.inbox->receive();
    if (!incoming) return;
    handle(std::move(*incoming));
  }
}

void Mailroom::handle(Incoming incoming) {
  const Seconds arrived = clock_.now();
  const DeviceName from = membership_.sender(incoming);
  if (lost_.count(from) != 0) return;
  try {
    if (incoming.frames.empty()) throw InputError("message: no frames; at least one was expected");
    wire::Envelope envelope;
    parse_envelope(incoming.frames.front().bytes, &envelope);
    if (is_transport(envelope)) {
      handle_transport(incoming, from, envelope);
      return;
    }
    if (from.empty()) throw InputError("message: the sender has not said who it is");
    take(from, envelope, incoming.frames, arrived);
  } catch (const InputError& error) {
    if (from.empty()) {
      ignore_stranger(error.what());
    } else {
      lose(from, fmt::format("answers nonsense: {}", error.what()));
    }
  } catch (const WorldError& error) {
    lose(from, fmt::format("sends what this device cannot hold: {}", error.what()));
  }
}

void Mailroom::take(const DeviceName& from, const wire::Envelope& envelope,
                    const std::vector<Frame>& frames, Seconds arrived) {
  Message message = decode_body(envelope, frames);
  if (std::holds_alternative<PeerLost>(message.body)) {
    throw InputError("message: PeerLost is not for devices to send");
  }
  message.from = from;
  message.arrived = arrived;
  message.sent = std::clamp(message.sent, Seconds(0), arrived);
  deliver(std::move(message));
}

void Mailroom::handle_transport(Incoming& incoming, const DeviceName& from,
                                const wire::Envelope& envelope) {
  const std::string& identity = incoming.identity;
  if (envelope.has_join()) {
    if (reception_) {
      reception_->consider(membership_, incoming, envelope.join());
    } else {
      send_away(membership_, identity);
    }
    return;
  }
  if (envelope.has_welcome() && reception_) {
    reception_->hear(identity, envelope);
    return;
  }
  if (envelope.has_introduce()) {
    introduce(incoming, envelope.introduce());
    return;
  }
  if (from.empty()) throw InputError("message: the sender has not said who it is");
  switch (envelope.body_case()) {
    case wire::Envelope::kJoined: confirm(from, envelope.joined().round()); return;
    case wire::Envelope::kClock: answer_clock(membership_, identity, envelope.clock()); return;
    case wire::Envelope::kDirectory:
      if (from != kCoordinator)
        throw InputError("message: only the coordinator says who listens where");
      take_newcomers(envelope.directory());
      return;
    case wire::Envelope::kGoodbye: take_goodbye(incoming, from); return;
    case wire::Envelope::kFarewell:
      if (const auto back = membership_.connections.find(from);
          back != membership_.connections.end())
        back->second->take_answer(envelope);
      return;
    case wire::Envelope::kForward:
      if (reception_) {
        pass_on(from, std::move(incoming), envelope.forward().peer());
      } else if (from == kCoordinator) {
        take_forwarded(std::move(incoming), envelope.forward().peer());
      } else {
        throw InputError("message: only the coordinator passes messages on");
      }
      return;
    case wire::Envelope::kGone:
      if (from != kCoordinator) throw InputError("message: only the coordinator says who is gone");
      take_gone(envelope.gone());
      return;
    default: throw InputError("message: kind: not for an inbox");
  }
}

void Mailroom::take_goodbye(const Incoming& incoming, const DeviceName& from) {
  wire::Envelope answer;
  answer.mutable_farewell();
  if (!incoming.identity.empty()) {
    membership_.inbox->reply(incoming.identity, answer);
  } else if (const auto own = membership_.connections.find(from);
             own != membership_.connections.end()) {
    own->second->send_last(answer);
  }
  lose(from, "it has left");
}

void Mailroom::introduce(const Incoming& incoming, const wire::Introduce& introduction) {
  const bool expected = membership_.peers.contains(introduction.name());
  const std::string problem = take_introduction(membership_, incoming, introduction, expected);
  if (!problem.empty()) ignore_stranger(problem);
}

void Mailroom::ignore_stranger(const std::string& why) {
  if (warned_) return;
  warned_ = true;
  if (!membership_.options.say) return;
  membership_.options.say(
      fmt::format("{}: ignoring a connection from outside the run: {}", membership_.self, why));
}

void Mailroom::watch_connections() {
  membership_.inbox->watch();
  const Clock::time_point now = Clock::now();
  std::vector<Incoming> back;
  for (auto it = membership_.connections.begin(); it != membership_.connections.end();) {
    if (now >= it->second->next_update() && membership_.inbox->has_moved(it->first)) {
      it->second->note_life();
    }
    const Connection::State state = it->second->update();
    while (auto message = it->second->receive_message()) back.push_back(std::move(*message));
    if (state != Connection::State::kDown) {
      ++it;
      continue;
    }
    if (!go_through_coordinator(it->first, *it->second)) {
      // What comes another way may be behind, and the coordinator says when that is all.
      const Clock::duration grace =
          come_through_.contains(it->first)
              ? std::chrono::duration_cast<Clock::duration>(membership_.options.loss_timeout)
              : kGrace;
      suspicions_.emplace(it->first, Suspicion{now + grace, it->second->reason()});
    }
    it = membership_.connections.erase(it);
  }
  for (Incoming& incoming : back) handle(std::move(incoming));
  std::vector<std::pair<DeviceName, std::string>> over;
  for (const auto& [name, suspicion] : suspicions_) {
    if (now >= suspicion.until) over.emplace_back(name, suspicion.reason);
  }
  for (const auto& [name, reason] : over) lose(name, reason);
}

void Mailroom::lose(const DeviceName& peer, const std::string& reason) {
  suspicions_.erase(peer);
  if (!lost_.insert(peer).second) return;
  membership_.connections.erase(peer);
  if (reception_) {
    end_relaying(peer, reason);
    leave_out(peer, reason);
  }
  Message message;
  message.from = peer;
  message.body = PeerLost{reason};
  message.sent = message.arrived = clock_.now();
  deliver(std::move(message));
}

void Mailroom::say_goodbye() {
  wire::Envelope goodbye;
  goodbye.mutable_goodbye();
  std::set<DeviceName> waiting;
  for (auto& [name, connection] : membership_.connections) {
    connection->send(goodbye);
    waiting.insert(name);
  }
  const Clock::time_point deadline = Clock::now() + kLinger;
  while (!waiting.empty() && Clock::now() < deadline) {
    wait({}, deadline);
    take_incoming();
    watch_connections();
    std::erase_if(waiting, [&](const DeviceName& name) {
      const auto found = membership_.connections.find(name);
      return found == membership_.connections.end() || found->second->receive().has_value();
    });
  }
}

}  // namespace lingua::internal
