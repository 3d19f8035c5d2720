#include "runtime/net/sockets.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "runtime/base/errors.h"
#include "runtime/net/net_device.h"
#include "runtime/net/zmq_frames.h"

namespace lingua::internal {
namespace {

constexpr std::size_t kMaxFrames = 65536;
constexpr std::size_t kCopyBytes = 1024;  // smaller frames are copied into the message
constexpr int kMaxSockets = 16384;        // three for each peer

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

std::string monitor_address() {
  static std::atomic<int> count{0};
  return fmt::format("inproc://monitor-{}", count++);
}

}  // namespace

void send_frames(zmq::socket_t& socket, const std::vector<Frame>& frames) {
  for (std::size_t i = 0; i < frames.size(); ++i) {
    zmq::message_t part = to_zmq(frames[i]);
    const auto more = i + 1 < frames.size() ? zmq::send_flags::sndmore : zmq::send_flags::none;
    LINGUA_CHECK(socket.send(std::move(part), more | zmq::send_flags::dontwait).has_value());
  }
}

std::optional<Incoming> receive_frames(zmq::socket_t& socket, bool router, int* descriptor) {
  Incoming incoming;
  bool first = true;
  for (bool more = true; more;) {
    auto part = std::make_shared<zmq::message_t>();
    if (!socket.recv(*part, zmq::recv_flags::dontwait)) return std::nullopt;
    more = part->more();
    if (first && router) {
      incoming.identity = part->to_string();
    } else if (incoming.frames.size() < kMaxFrames) {
      if (descriptor != nullptr && incoming.frames.empty()) {
        *descriptor = zmq_msg_get(part->handle(), ZMQ_SRCFD);
      }
      if (router && incoming.frames.empty()) incoming.key = sender_of(*part);
      incoming.frames.push_back({part->to_string_view(), part});
    }
    first = false;
  }
  return incoming;
}

Clock::time_point RunClock::at(Seconds time) const {
  constexpr Seconds kYear{365.0 * 86400};
  const Clock::time_point now = Clock::now();
  const Seconds ahead = std::min(time - Seconds(now - origin_), kYear);
  return now + std::chrono::duration_cast<Clock::duration>(std::max(ahead, Seconds(0)));
}

Monitor::Monitor(zmq::context_t& context, zmq::socket_t& socket, int events)
    : watched_(socket), events_(context, zmq::socket_type::pair) {
  const std::string address = monitor_address();
  if (zmq_socket_monitor(socket.handle(), address.c_str(), events) != 0) throw zmq::error_t();
  events_.set(zmq::sockopt::linger, 0);
  events_.set(zmq::sockopt::rcvhwm, 0);  // or ZeroMQ's thread waits for this one
  events_.connect(address);
}

Monitor::~Monitor() { zmq_socket_monitor(watched_.handle(), nullptr, 0); }

std::optional<Monitor::Event> Monitor::next() {
  zmq::message_t event;
  zmq::message_t where;
  if (!events_.recv(event, zmq::recv_flags::dontwait)) return std::nullopt;
  std::uint16_t kind = 0;
  std::int32_t value = 0;
  LINGUA_CHECK(event.size() >= sizeof(kind) + sizeof(value) && event.more());
  std::memcpy(&kind, event.data(), sizeof(kind));
  std::memcpy(&value, static_cast<const char*>(event.data()) + sizeof(kind), sizeof(value));
  LINGUA_CHECK(events_.recv(where, zmq::recv_flags::none).has_value());
  return Event{kind, value};
}

// With one I/O thread, as is the default: an Inbox hears of a connection before it hears from it.
std::unique_ptr<zmq::context_t> make_context() {
  auto context = std::make_unique<zmq::context_t>();
  context->set(zmq::ctxopt::max_sockets, kMaxSockets);
  return context;
}

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
  const std::string problem = device_name_problem(name);
  if (!problem.empty()) throw WorldError(problem);
}

}  // namespace lingua::internal

namespace lingua {

std::string device_name_problem(const std::string& name) {
  constexpr std::size_t kLongest = 200;
  if (!name.empty() && name.size() <= kLongest && name != kCoordinator && one_line(name) == name)
    return "";
  return fmt::format(
      "'{}' cannot be the name of a device; write 1 to {} printable characters, not '{}'",
      one_line(name), kLongest, kCoordinator);
}

}  // namespace lingua
