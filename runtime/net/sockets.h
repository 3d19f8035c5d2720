#pragma once
// The sockets of one process: an inbox that peers connect to, and a connection to each peer's
// inbox.
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
  std::string identity;
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

// Where a peer listens, what to quote when connecting to it, and who it has to be.
struct PeerAddress {
  Address address;  // numeric
  std::uint64_t key = 0;
  std::optional<PublicKey> public_key = {};  // where links are secured
};

class Connection {
 public:
  // `introduction`, Join or Introduce, is the first message; others wait until it is answered.
  // REQUIRES: options have a key where the peer has.
  Connection(zmq::context_t& context, const PeerAddress& peer, const NetOptions& options,
             wire::Envelope introduction);

  enum class State { kConnecting, kUp, kDown };
  State state() const { return state_; }
  // Reads what has come. A connection goes down when it breaks, when nothing moves for
  // loss_timeout, when the peer refuses, and when it is not up within five times that (`patient` ones
  // go on trying for ever).
  State update(bool patient = false);
  // When update() has to be called at the latest.
  Clock::time_point next_update() const { return next_look_; }
  const std::string& reason() const { return reason_; }      // when kDown
  bool refused() const { return refused_; }                  // why it is kDown
  bool refused_for_now() const { return refused_for_now_; }  // and may ask again later
  // Somebody accepted connections and did not greet as this end expects, for two seconds or at all.
  bool is_odd() const;
  // Several connections one after the other ended before they were greeted or secured.
  bool is_turned_away() const;
  Seconds wait() const { return wait_; }  // as Welcome said
  // A sign of life came another way.
  void note_life() { silence_ = Seconds(0); }

  void send(std::vector<Frame> frames);
  void send(const wire::Envelope& envelope);
  std::optional<wire::Envelope> receive();  // what the peer answers over this connection

  void poll_for(std::vector<zmq::pollitem_t>& items);

 private:
  void read_monitor();
  void read_answers();
  void look();
  void go_down(std::string reason);

  const std::string address_;
  const Seconds loss_timeout_;
  const wire::Envelope introduction_;
  zmq::socket_t socket_;
  Monitor monitor_;
  FileDescriptor connection_;
  State state_ = State::kConnecting;
  Clock::time_point give_up_;
  Clock::time_point looked_;
  Clock::time_point next_look_;
  TcpCounts counts_;
  Seconds silence_{0};
  Seconds wait_{0};
  std::string reason_;
  bool refused_ = false;
  bool refused_for_now_ = false;
  bool odd_ = false;
  std::optional<Clock::time_point> accepted_;   // and not greeted yet
  std::vector<Clock::time_point> ended_early_;  // connections, before they were greeted or secured
  std::deque<std::vector<Frame>> waiting_;      // to be welcomed
  std::deque<wire::Envelope> answers_;
};

// Everything that a process holds once it has joined.
struct Membership {
  // Who sent a message; empty: a stranger. Where links are secured its key says so each time.
  DeviceName sender(const Incoming& incoming) const;
  // Whether a message comes from the key that the device has; true where links are not secured.
  bool has_key_of(const DeviceName& name, const Incoming& incoming) const;
  // It is no peer any more: what still comes from it is a stranger's.
  void forget(const DeviceName& name);

  DeviceName self;
  std::uint64_t key = 0;  // that peers must quote to this inbox
  NetOptions options;
  std::optional<RunClock> clock;
  std::map<DeviceName, PeerAddress> peers;
  // Destroyed in the reverse order.
  std::unique_ptr<zmq::context_t> context;
  std::unique_ptr<Guard> guard;  // none where links are not secured
  std::unique_ptr<Inbox> inbox;
  std::map<DeviceName, std::unique_ptr<Connection>> connections;
  std::map<std::string, DeviceName>
      identities;               // who is at the other end of the inbox's connections
  std::vector<Incoming> early;  // messages that came while joining
};

std::unique_ptr<zmq::context_t> make_context();

// Waits until something can be read from one of them, at most until `deadline`.
void wait_readable(std::vector<zmq::pollitem_t>& items, Clock::time_point deadline);
zmq::pollitem_t poll_item(zmq::socket_t& socket);

// What goes wrong with names, before they travel. Errors: WorldError.
void check_device_name(const DeviceName& name);

}  // namespace lingua::internal
