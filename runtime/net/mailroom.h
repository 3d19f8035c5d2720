#pragma once
// The background thread that owns the sockets of a process after it has joined, and the queues
// between it and the Device's user.
//
// The coordinator's takes devices in while the run goes on: its user hears Hello when all others have confirmed
// that they know the new one.
//
// Where one worker cannot connect to another, or that takes no connections, messages go through the coordinator's,
// which passes them on (relaying.cpp).
//
// Order: per pair, as sent; the loss of a peer comes after all of its messages that arrived.
// Ending: everything that was sent is delivered before the destructor returns, for at most two
// seconds: each peer is told goodbye and answers when all before that has arrived.
// Threads: the public functions may be called from any.

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "runtime/net/membership.h"
#include "runtime/net/reception.h"

namespace lingua::internal {

class Mailroom {
 public:
  // `reception`: the coordinator's; a worker has none.
  explicit Mailroom(Membership membership, std::unique_ptr<Reception> reception = nullptr);
  ~Mailroom();
  Mailroom(const Mailroom&) = delete;
  Mailroom& operator=(const Mailroom&) = delete;

  Seconds now() const { return clock_.now(); }
  Clock::time_point time_of(Seconds when) const { return clock_.at(when); }
  // To a device that is not there, nothing. Errors: WorldError for a name that the run does not have, and for a
  // message too large.
  void send(const DeviceName& to, MessageBody body);
  std::optional<Message> receive(Seconds deadline);
  // A message to this side from somebody in this process.
  void put(const DeviceName& from, MessageBody body);
  // The coordinator's: what it has passed on so far.
  std::vector<RelayedLink> relayed() const;
  // The coordinator's Stop, or its loss, is among what has not been received: the reason of the
  // loss, empty for Stop.
  std::optional<std::string> unheard_end();

 private:
  struct Outgoing {
    DeviceName to;
    std::vector<Frame> frames;
  };
  struct Suspicion {  // a connection that broke: what has arrived is still taken
    Clock::time_point until;
    std::string reason;
  };

  // All below: the background thread.
  void run();
  void loop();
  void wait(std::vector<zmq::pollitem_t> items, Clock::time_point deadline);
  bool take_outgoing();  // false: it is time to end
  void send_out(Outgoing outgoing);
  void take_incoming();
  void handle(Incoming incoming);
  void take(const DeviceName& from, const wire::Envelope& envelope,
            const std::vector<Frame>& frames, Seconds arrived);
  void handle_transport(Incoming& incoming, const DeviceName& from, const wire::Envelope& envelope);
  void take_goodbye(const Incoming& incoming, const DeviceName& from);
  // relaying.cpp
  void pass_on(const DeviceName& from, Incoming incoming, const DeviceName& to);
  void tell_gone(const DeviceName& who, const DeviceName& peer, const std::string& reason);
  void tell_relayed(const DeviceName& from, const DeviceName& to);
  void end_relaying(const DeviceName& peer, const std::string& reason);
  void take_forwarded(Incoming incoming, const DeviceName& from);
  void take_gone(const wire::Gone& gone);
  void send_through_coordinator(const DeviceName& to, std::vector<Frame> frames);
  bool go_through_coordinator(const DeviceName& to, Connection& connection);
  // late_joining.cpp
  void take_in_late();
  void begin_arrival(const Reception::Guest& guest);
  void confirm(const DeviceName& from, std::int64_t round);
  void finish_arrivals();
  void leave_out(const DeviceName& peer, const std::string& reason);
  void take_newcomers(const wire::Directory& directory);
  void meet_again(const DeviceName& name);

  void introduce(const Incoming& incoming, const wire::Introduce& introduction);
  void ignore_stranger(const std::string& why);
  void watch_connections();
  void lose(const DeviceName& peer, const std::string& reason);
  void say_goodbye();
  void deliver(Message message);
  // On a slow network: takes from held_ what has arrived there too. REQUIRES: mutex_ is held.
  void release_arrived();
  Clock::time_point next_release();

  // A device that joins while the run goes on.
  struct Arrival {
    DeviceSpec spec;
    std::int64_t round = 0;  // of the directory that tells the others
    bool knows_others = false;
    std::set<DeviceName> unconfirmed;  // who has not said yet that it knows it
  };

  const RunClock clock_;
  const std::shared_ptr<SlowNetwork> slow_network_;  // or none
  Membership membership_;
  std::map<DeviceName, Suspicion> suspicions_;
  std::set<DeviceName> lost_;
  std::unique_ptr<Reception> reception_;
  std::map<DeviceName, Arrival> arrivals_;
  std::int64_t last_round_ = 0;
  std::set<DeviceName> come_through_;  // whose messages the coordinator passes on to this worker
  std::set<std::pair<DeviceName, DeviceName>>
      relays_;  // from, to: messages that are passed on at present
  bool warned_ = false;

  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::map<std::pair<DeviceName, DeviceName>, RelayedLink> relayed_;  // guarded by mutex_
  std::set<DeviceName> names_;  // that the run has, there or not; guarded by mutex_
  std::deque<Message> inbox_;   // guarded by mutex_
  // Really here, and still under way on the slow network, by sender; guarded by mutex_.
  std::map<DeviceName, std::deque<Message>> held_;
  std::deque<Outgoing> outgoing_;  // guarded by mutex_
  bool ending_ = false;            // guarded by mutex_
  int wake_ = -1;                  // an eventfd: readable when outgoing_ or ending_ changed
  std::thread thread_;
};

}  // namespace lingua::internal
