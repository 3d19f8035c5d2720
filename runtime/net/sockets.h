#pragma once
// The sockets of one process: an inbox that peers connect to, and a connection to each peer's
// inbox. To a peer whose inbox cannot be reached messages go back over the connection that it made itself
// (BackConnection), which only the coordinator has of workers.
//
// Who connects to an inbox says who it is (Join, Introduce) and sends nothing else until it has been
// welcomed; until then it is a stranger, of whom little is kept: see Inbox.
// A peer that closes or crashes breaks the connection to its inbox, and the operating system tells
// at once. One that hangs, vanishes or is cut off is known by silence: no byte comes from it, and
// none of those that wait to be sent is confirmed by its kernel. ZeroMQ pings so that bytes come
// while all is well; a ping that waits behind a large message on a slow link is no silence.
// Connections are never re-made: a peer is either the process that joined or lost.
// Threads: none of this is thread-safe; one thread at a time owns it.

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "runtime/base/plain_text.h"
#include "runtime/net/guard.h"
#include "runtime/net/net_device.h"
#include "runtime/net/tcp.h"
#include "runtime/net/wire.h"
#include "runtime/net/wire_internal.h"

namespace lingua::internal {

using Clock = std::chrono::steady_clock;

// The clock of a run, as this process sees it. Threads: any.
class RunClock {
 public:
  explicit RunClock(Clock::time_point origin) : origin_(origin) {}
  Seconds now() const { return Clock::now() - origin_; }
  Seconds of(Clock::time_point when) const { return when - origin_; }
  // REQUIRES: not so far away that the clock cannot hold it.
  Clock::time_point of(Seconds time) const {
    return origin_ + std::chrono::duration_cast<Clock::duration>(time);
  }
  Clock::time_point at(Seconds time) const;  // clamped to a year from now

 private:
  Clock::time_point origin_;
};

// A message as it arrived: the connection that it came over and its frames, which own their memory.
struct Incoming {
  std::string
      identity;  // empty: it came back over this process's own connection to the coordinator
  std::vector<Frame> frames;
  std::optional<PublicKey> key;  // of the sender, where links are secured
};

// What a socket's monitor tells: which event, and its value (a descriptor or an error).
class Monitor {
 public:
  Monitor(zmq::context_t& context, zmq::socket_t& socket, int events);
  ~Monitor();
  Monitor(const Monitor&) = delete;
  Monitor& operator=(const Monitor&) = delete;
  struct Event {
    int kind = 0;
    int value = 0;
  };
  std::optional<Event> next();
  zmq::socket_t& socket() { return events_; }

 private:
  zmq::socket_t& watched_;
  zmq::socket_t events_;
};

// Where links are secured, only those that the guard lets pass are heard at all.
// Strangers are bounded: by number (the oldest goes), by bytes and by time. A message of theirs that
// never ends is not kept, though ZeroMQ itself has no such bound.
class Inbox {
 public:
  // Errors: WorldError for a port in use or an address that is none.
  // The guard, none where links are not secured, outlives it.
  Inbox(zmq::context_t& context, const NetOptions& options, Guard* guard);

  int port() const { return port_; }
  std::string address() const;                               // as given, with its port: for people
  const std::string& endpoint() const { return endpoint_; }  // the host as a number, or 0.0.0.0
  void poll_for(std::vector<zmq::pollitem_t>& items);

  std::optional<Incoming> receive();
  // Answers over the connection of a message. Dropped when that is gone.
  void reply(const std::string& identity, const wire::Envelope& envelope);
  void reply(const std::string& identity, const std::vector<Frame>& frames);
  // Who sends over this connection is no stranger.
  void identify(const std::string& identity, const DeviceName& name);
  // Whether the connection of a message is still there.
  bool is_open(const std::string& identity) const;

  // Sees who came and went, and breaks the connections of strangers beyond the bounds.
  void watch();
  // When watch() has to be called at the latest.
  Clock::time_point next_watch() const;
  // Bytes have come from a peer since this was asked last.
  bool has_moved(const DeviceName& name);

 private:
  struct Guest {
    FileDescriptor connection;
    Clock::time_point since;
    std::string identity;
    DeviceName name;  // empty: a stranger
    std::uint64_t received = 0;
    bool broken = false;
  };
  void welcome(int descriptor);
  void read_monitor();

  Guard* const guard_;
  zmq::socket_t socket_;
  Monitor monitor_;
  const Seconds stranger_time_;
  std::size_t most_strangers_ = 0;
  std::string host_;
  std::string endpoint_;
  int port_ = 0;
  std::map<int, Guest> guests_;             // by ZeroMQ's descriptor
  std::map<std::string, int> descriptors_;  // by identity, of guests that have sent something
};

std::unique_ptr<zmq::context_t> make_context();

// Waits until something can be read from one of them, at most until `deadline`.
void wait_readable(std::vector<zmq::pollitem_t>& items, Clock::time_point deadline);
zmq::pollitem_t poll_item(zmq::socket_t& socket);

// What goes wrong with names, before they travel. Errors: WorldError.
void check_device_name(const DeviceName& name);

}  // namespace lingua::internal
