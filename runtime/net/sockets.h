#pragma once
// The sockets of one process: an inbox that peers connect to, and a connection to each peer's
// inbox.
//
// A peer that closes or crashes breaks the connection to its inbox, and the operating system tells
// at once; one that hangs or vanishes misses heartbeats. Connections are never re-made: a peer is
// either the process that joined or lost. Threads: none of this is thread-safe; one thread at a
// time owns it.

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "runtime/base/plain_text.h"
#include "runtime/net/net_device.h"
#include "runtime/net/wire.h"
#include "runtime/net/wire_internal.h"

namespace lingua::internal {

using Clock = std::chrono::steady_clock;

// The clock of a run, as this process sees it. Threads: any.
class RunClock {
 public:
  explicit RunClock(Clock::time_point origin) : origin_(origin) {}
  Seconds now() const { return Clock::now() - origin_; }
  Clock::time_point at(Seconds time) const;  // clamped to a year from now

 private:
  Clock::time_point origin_;
};

// A message as it arrived: the connection that it came over and its frames, which own their memory.
struct Incoming {
  std::string identity;
  std::vector<Frame> frames;
};

class Inbox {
 public:
  // Errors: WorldError for a port in use or an address that is none.
  Inbox(zmq::context_t& context, const NetOptions& options);

  int port() const { return port_; }
  zmq::socket_t& socket() { return socket_; }
  std::optional<Incoming> receive();
  // Answers over the connection of a message. Dropped when that is gone.
  void reply(const std::string& identity, const wire::Envelope& envelope);

 private:
  zmq::socket_t socket_;
  int port_ = 0;
};

class Connection {
 public:
  Connection(zmq::context_t& context, const std::string& address, Seconds loss_timeout);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  enum class State { kConnecting, kUp, kDown };
  State state() const { return state_; }
  // Reads what the monitor has to say, and gives up connecting after loss_timeout (`patient` ones
  // go on for ever).
  State update(bool patient = false);
  // When update() has to be called at the latest.
  std::optional<Clock::time_point> deadline() const;
  const std::string& reason() const { return reason_; }  // when kDown

  void send(const std::vector<Frame>& frames);
  void send(const wire::Envelope& envelope);
  std::optional<Incoming> receive();  // what the peer answers over this connection

  zmq::socket_t& socket() { return socket_; }
  zmq::socket_t& monitor() { return monitor_; }

 private:
  std::string address_;
  zmq::socket_t socket_;
  zmq::socket_t monitor_;
  State state_ = State::kConnecting;
  Clock::time_point give_up_;
  std::string reason_;
};

// Where a peer listens, and what to quote when connecting to it.
struct PeerAddress {
  std::string address;
  std::uint64_t key = 0;
};

// Everything that a process holds once it has joined.
struct Membership {
  DeviceName self;
  std::uint64_t key = 0;  // that peers must quote to this inbox
  NetOptions options;
  std::optional<RunClock> clock;
  std::map<DeviceName, PeerAddress> peers;
  // Destroyed in the reverse order.
  std::unique_ptr<zmq::context_t> context;
  std::unique_ptr<Inbox> inbox;
  std::map<DeviceName, std::unique_ptr<Connection>> connections;
  std::map<std::string, DeviceName>
      identities;               // who is at the other end of the inbox's connections
  std::vector<Incoming> early;  // messages that came while joining
};

// Waits until something can be read from one of them, at most `timeout`.
void wait_readable(std::vector<zmq::pollitem_t>& items, Clock::time_point deadline);
zmq::pollitem_t poll_item(zmq::socket_t& socket);

// What goes wrong with names, before they travel. Errors: WorldError.
void check_device_name(const DeviceName& name);

}  // namespace lingua::internal
