#include <algorithm>

#include "runtime/base/errors.h"
#include "runtime/net/sockets.h"
#include "runtime/net/zmq_frames.h"

namespace lingua::internal {
namespace {

// Of a stranger: its greeting and its Join are a few hundred bytes.
constexpr std::uint64_t kMostStrangerBytes = 16 * 1024;
constexpr std::size_t kMostStrangers = 256;
// How fast a stranger can fill memory in this time is what bounds it: tens of MB.
constexpr std::chrono::milliseconds kStrangerInterval{10};

// Connections are named by a zero and four bytes that count up; nothing for a name that the peer chose.
std::optional<std::uint32_t> number_of(const std::string& identity) {
  if (identity.size() != 5 || identity.front() != '\0') return std::nullopt;
  std::uint32_t number = 0;
  for (const char c : identity.substr(1)) number = number << 8 | static_cast<unsigned char>(c);
  return number;
}

// Whether of two connections with one descriptor this is the later.
bool came_after(const std::string& identity, const std::string& other) {
  const auto one = number_of(identity);
  const auto two = number_of(other);
  return one && (!two || static_cast<std::int32_t>(*one - *two) > 0);
}

}  // namespace

Inbox::Inbox(zmq::context_t& context, const NetOptions& options, Guard* guard)
    : guard_(guard),
      socket_(context, zmq::socket_type::router),
      monitor_(context, socket_, ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED),
      stranger_time_(options.loss_timeout * 2 + Seconds(5)) {
  const Address address = parse_listen_address(options.listen);
  host_ = address.host;
  // A connection takes two descriptors; most of them are for peers and everything else.
  most_strangers_ =
      std::clamp<std::size_t>(static_cast<std::size_t>(raise_file_limit() / 8), 8, kMostStrangers);
  socket_.set(zmq::sockopt::rcvhwm, 0);
  socket_.set(zmq::sockopt::sndhwm, 0);
  socket_.set(zmq::sockopt::linger, 1000);
  socket_.set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(kMaxFrameBytes + kSecuringBytes));
  socket_.set(zmq::sockopt::tcp_keepalive, 1);
  socket_.set(zmq::sockopt::tcp_keepalive_idle, 30);
  if (guard_ != nullptr) secure_inbox(socket_, *options.key);
  try {
    socket_.bind(address.text());
  } catch (const zmq::error_t& error) {
    if (error.num() == EADDRINUSE) {
      throw WorldError(fmt::format(
          "{}: address already in use; end the program that listens there or choose another port "
          "(* for any free one)",
          address.text()));
    }
    throw WorldError(
        fmt::format("{}: cannot listen: {}; give an address of this machine or * for all",
                    address.text(), error.what()));
  }
  endpoint_ = socket_.get(zmq::sockopt::last_endpoint);
  port_ = std::stoi(parse_listen_address(endpoint_).port);
}

std::string Inbox::address() const { return Address{host_, std::to_string(port_)}.text(); }

void Inbox::poll_for(std::vector<zmq::pollitem_t>& items) {
  items.push_back(poll_item(socket_));
  items.push_back(poll_item(monitor_.socket()));
  if (guard_ != nullptr) items.push_back(poll_item(guard_->socket()));
}

std::optional<Incoming> Inbox::receive() {
  int descriptor = -1;
  auto incoming = receive_frames(socket_, true, &descriptor);
  if (!incoming || descriptors_.contains(incoming->identity)) return incoming;
  read_monitor();  // its connection may be news
  const auto found = guests_.find(descriptor);
  if (found == guests_.end()) return incoming;
  // What was heard over this descriptor may have come from a connection that is gone.
  Guest& guest = found->second;
  if (guest.identity.empty() || came_after(incoming->identity, guest.identity)) {
    descriptors_.erase(guest.identity);
    guest.identity = incoming->identity;
    guest.name.clear();
    descriptors_.emplace(guest.identity, descriptor);
  }
  return incoming;
}

void Inbox::reply(const std::string& identity, const wire::Envelope& envelope) {
  reply(identity, {make_control_frame(envelope)});
}

void Inbox::reply(const std::string& identity, const std::vector<Frame>& frames) {
  std::vector<Frame> all = {{identity, nullptr}};
  all.insert(all.end(), frames.begin(), frames.end());
  send_frames(socket_, all);
}

void Inbox::identify(const std::string& identity, const DeviceName& name) {
  const auto descriptor = descriptors_.find(identity);
  if (descriptor != descriptors_.end()) guests_.at(descriptor->second).name = name;
}

bool Inbox::is_open(const std::string& identity) const { return descriptors_.contains(identity); }

// The monitor tells of comings and goings in their order, so that a descriptor that was closed and
// used again is told apart in the end; until then it must at least be one of this inbox.
void Inbox::welcome(int descriptor) {
  if (local_port(descriptor) != port_) return;
  Guest guest;
  guest.connection = share(descriptor);
  guest.since = Clock::now();
  if (!guest.connection) {  // no descriptors are left: who comes now is too much
    break_connection(descriptor);
    return;
  }
  guests_.insert_or_assign(descriptor, std::move(guest));
}

void Inbox::read_monitor() {
  while (const auto event = monitor_.next()) {
    if (event->kind == ZMQ_EVENT_ACCEPTED) {
      welcome(event->value);
      continue;
    }
    const auto guest = guests_.find(event->value);
    if (guest == guests_.end()) continue;
    descriptors_.erase(guest->second.identity);
    guests_.erase(guest);
  }
}

void Inbox::watch() {
  if (guard_ != nullptr) guard_->serve();
  read_monitor();
  const Clock::time_point now = Clock::now();
  std::vector<Guest*> strangers;
  const auto close = [](Guest& guest) {
    break_connection(guest.connection.get());
    guest.broken = true;
  };
  for (auto& [descriptor, guest] : guests_) {
    if (!guest.name.empty() || guest.broken) continue;
    const auto counts = tcp_counts(guest.connection.get());
    if ((counts && counts->received > kMostStrangerBytes) ||
        Seconds(now - guest.since) > stranger_time_) {
      close(guest);
    } else {
      strangers.push_back(&guest);
    }
  }
  if (strangers.size() <= most_strangers_) return;
  std::sort(strangers.begin(), strangers.end(),
            [](const Guest* a, const Guest* b) { return a->since < b->since; });
  strangers.resize(strangers.size() - most_strangers_);
  for (Guest* guest : strangers) close(*guest);
}

Clock::time_point Inbox::next_watch() const {
  const bool alone = std::all_of(guests_.begin(), guests_.end(), [](const auto& entry) {
    return !entry.second.name.empty() || entry.second.broken;
  });
  return Clock::now() + (alone ? Clock::duration(std::chrono::hours(1)) : kStrangerInterval);
}

bool Inbox::has_moved(const DeviceName& name) {
  bool moved = false;
  for (auto& [descriptor, guest] : guests_) {
    if (guest.name != name) continue;
    const auto counts = tcp_counts(guest.connection.get());
    if (!counts || counts->received <= guest.received) continue;
    guest.received = counts->received;
    moved = true;
  }
  return moved;
}

}  // namespace lingua::internal
