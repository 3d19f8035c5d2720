#include "runtime/net/sockets.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "runtime/base/errors.h"
#include "runtime/net/address.h"

namespace lingua::internal {
namespace {

constexpr std::size_t kMaxFrames = 65536;
constexpr std::size_t kCopyBytes = 1024;      // smaller frames are copied into the message
constexpr int kSendBufferBytes = 256 * 1024;  // bounds what a heartbeat must queue behind

int milliseconds(Seconds time) {
  return static_cast<int>(std::clamp(time.count() * 1e3, 1.0, 1e9));
}

// A message that keeps the frame's owner until it has been sent.
zmq::message_t to_zmq(const Frame& frame) {
  if (frame.bytes.size() < kCopyBytes || frame.owner == nullptr) {
    return zmq::message_t(frame.bytes.data(), frame.bytes.size());
  }
  auto* owner = new std::shared_ptr<const void>(frame.owner);
  return zmq::message_t(
      const_cast<char*>(frame.bytes.data()), frame.bytes.size(),
      [](void*, void* hint) { delete static_cast<std::shared_ptr<const void>*>(hint); }, owner);
}

void send_frames(zmq::socket_t& socket, const std::vector<Frame>& frames) {
  for (std::size_t i = 0; i < frames.size(); ++i) {
    zmq::message_t part = to_zmq(frames[i]);
    const auto more = i + 1 < frames.size() ? zmq::send_flags::sndmore : zmq::send_flags::none;
    LINGUA_CHECK(socket.send(std::move(part), more | zmq::send_flags::dontwait).has_value());
  }
}

// Receives one message; its first frame is the identity where the socket is a router.
std::optional<Incoming> receive_frames(zmq::socket_t& socket, bool router) {
  Incoming incoming;
  bool first = true;
  for (bool more = true; more;) {
    auto part = std::make_shared<zmq::message_t>();
    if (!socket.recv(*part, zmq::recv_flags::dontwait)) return std::nullopt;
    more = part->more();
    if (first && router) {
      incoming.identity = part->to_string();
    } else if (incoming.frames.size() < kMaxFrames) {
      incoming.frames.push_back({part->to_string_view(), part});
    }
    first = false;
  }
  return incoming;
}

}  // namespace

Clock::time_point RunClock::at(Seconds time) const {
  constexpr Seconds kYear{365.0 * 86400};
  const Clock::time_point now = Clock::now();
  const Seconds ahead = std::min(time - Seconds(now - origin_), kYear);
  return now + std::chrono::duration_cast<Clock::duration>(std::max(ahead, Seconds(0)));
}

Inbox::Inbox(zmq::context_t& context, const NetOptions& options)
    : socket_(context, zmq::socket_type::router) {
  const Address address = parse_listen_address(options.listen);
  socket_.set(zmq::sockopt::rcvhwm, 0);
  socket_.set(zmq::sockopt::sndhwm, 0);
  socket_.set(zmq::sockopt::linger, 1000);
  socket_.set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(kMaxFrameBytes));
  socket_.set(zmq::sockopt::tcp_keepalive, 1);
  socket_.set(zmq::sockopt::tcp_keepalive_idle, 30);
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
  port_ = std::stoi(parse_listen_address(socket_.get(zmq::sockopt::last_endpoint)).port);
}

std::optional<Incoming> Inbox::receive() { return receive_frames(socket_, true); }

void Inbox::reply(const std::string& identity, const wire::Envelope& envelope) {
  send_frames(socket_, {{identity, nullptr}, make_control_frame(envelope)});
}

Connection::Connection(zmq::context_t& context, const std::string& address, Seconds loss_timeout)
    : address_(address),
      socket_(context, zmq::socket_type::dealer),
      monitor_(context, zmq::socket_type::pair),
      give_up_(Clock::now() + std::chrono::duration_cast<Clock::duration>(loss_timeout)) {
  static std::atomic<int> count{0};
  const std::string events = fmt::format("inproc://monitor-{}", count++);
  socket_.set(zmq::sockopt::sndhwm, 0);
  socket_.set(zmq::sockopt::linger, 0);
  socket_.set(zmq::sockopt::sndbuf, kSendBufferBytes);
  socket_.set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(kMaxControlBytes));
  socket_.set(zmq::sockopt::reconnect_ivl, 20);
  socket_.set(zmq::sockopt::reconnect_ivl_max, 200);
  // A hanging peer is noticed within loss_timeout: an interval of silence, then the wait for an
  // answer.
  socket_.set(zmq::sockopt::heartbeat_ivl, milliseconds(loss_timeout / 4));
  socket_.set(zmq::sockopt::heartbeat_timeout, milliseconds(loss_timeout * 3 / 4));
  if (zmq_socket_monitor(socket_.handle(), events.c_str(),
                         ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED) != 0) {
    throw zmq::error_t();
  }
  monitor_.set(zmq::sockopt::linger, 0);
  monitor_.connect(events);
  socket_.connect(address);
}

Connection::~Connection() { zmq_socket_monitor(socket_.handle(), nullptr, 0); }

Connection::State Connection::update(bool patient) {
  zmq::message_t event;
  zmq::message_t where;
  while (state_ != State::kDown && monitor_.recv(event, zmq::recv_flags::dontwait)) {
    LINGUA_CHECK(event.size() >= sizeof(std::uint16_t) && event.more());
    std::uint16_t kind = 0;
    std::memcpy(&kind, event.data(), sizeof(kind));
    LINGUA_CHECK(monitor_.recv(where, zmq::recv_flags::none).has_value());
    if (kind == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
      state_ = State::kUp;
    } else if (kind == ZMQ_EVENT_DISCONNECTED && state_ == State::kUp) {
      state_ = State::kDown;
      reason_ = "the connection broke";
    }
  }
  if (state_ == State::kConnecting && !patient && Clock::now() >= give_up_) {
    state_ = State::kDown;
    reason_ = fmt::format("it cannot be reached at {}", address_);
  }
  return state_;
}

std::optional<Clock::time_point> Connection::deadline() const {
  if (state_ != State::kConnecting) return std::nullopt;
  return give_up_;
}

void Connection::send(const std::vector<Frame>& frames) { send_frames(socket_, frames); }
void Connection::send(const wire::Envelope& envelope) { send({make_control_frame(envelope)}); }
std::optional<Incoming> Connection::receive() { return receive_frames(socket_, false); }

void wait_readable(std::vector<zmq::pollitem_t>& items, Clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
  const auto timeout = std::clamp<std::int64_t>(left.count(), 0, 3'600'000);
  try {
    zmq::poll(items, std::chrono::milliseconds(timeout));
  } catch (const zmq::error_t& error) {
    if (error.num() != EINTR) throw;
  }
}

zmq::pollitem_t poll_item(zmq::socket_t& socket) { return {socket.handle(), 0, ZMQ_POLLIN, 0}; }

void check_device_name(const DeviceName& name) {
  constexpr std::size_t kLongest = 200;
  if (name.empty() || name.size() > kLongest || name == kCoordinator || one_line(name) != name) {
    throw WorldError(fmt::format(
        "'{}' cannot be the name of a device: 1 to {} printable characters, not '{}', are accepted",
        one_line(name), kLongest, kCoordinator));
  }
}

}  // namespace lingua::internal
