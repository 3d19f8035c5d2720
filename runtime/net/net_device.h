#pragma once
// A Device over ZeroMQ: each device is a process with one inbox; peers connect to it directly.
// One that takes no connections (a mobile hotspot, a network that keeps its clients apart) is reached over its own
// connection to the coordinator, which passes on what other workers send it; so does a worker that cannot connect to
// another. It is slower, and said. `spec.relayed` asks for it; else it takes five times loss_timeout to notice.
//
// The coordinator listens on an address that workers are given. A worker says Hello with its spec
// and the address of its own inbox; the coordinator tells all workers who listens where.
// Clock: now() counts from the coordinator's start; a worker estimates its offset when it joins
// (the exchange with the shortest round trip of several).
// Losses: a peer that cannot be reached, whose connection breaks, over whose connections no byte moves
// for `loss_timeout` or that ends in order becomes one PeerLost message, after all that it sent. The
// coordinator sees every worker's loss, a worker the coordinator's and that of each worker to which
// it has sent something.
// Joining: at any time. One that is new, or comes again after its loss, is told of the others and they of it; then
// the coordinator hears Hello from it. One that was taken for lost and is there after all is told so, and loses
// its coordinator.
// Ending: the destructors wait until peers have what was sent, at most two seconds.
// Threads: one background thread owns all sockets; the Device belongs to its one user.
// Trust: with keys every connection is encrypted and both ends prove theirs (CurveZMQ); a device's name
// belongs to a key, and the coordinator tells the workers whose is whose. Without, whoever reaches an inbox
// can read and forge.
// Errors: WorldError for a port in use or an address that is none; a message that cannot be decoded
// makes its sender lost ("answers nonsense: ..."). What comes from a connection that is no peer's is
// ignored, and said once.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/device/device.h"
#include "runtime/net/slow_network.h"
#include "runtime/trust/admission.h"

namespace lingua {

// What is wrong with an address to connect to, or to listen on, as it is written; empty when nothing
// is.
std::string coordinator_address_problem(const std::string& text);
std::string listen_address_problem(const std::string& text);
// The same of a host that others are told.
std::string host_problem(const std::string& text);
// Whether it means all interfaces, or only this machine. REQUIRES: it is an address.
bool listens_everywhere(const std::string& address);
bool listens_on_loopback(const std::string& address);
// The same of a name that a worker would have.
std::string device_name_problem(const std::string& name);

struct NetOptions {
  // Own inbox. "tcp://*:*" listens on all interfaces and any free port.
  std::string listen = "tcp://127.0.0.1:*";
  // The host under which others reach the inbox; empty: the host of `listen`, or, when that means
  // all interfaces, the address from which this machine reaches the coordinator (the network).
  std::string advertise;
  // This process's own; none: links are not secured. Devices of one run all have keys, or none has.
  std::optional<KeyPair> key;
  // The coordinator's: whom it lets in. There with a key, which is the same.
  std::shared_ptr<Admission> admission;
  // The coordinator's, without keys: what a device has to quote that joins; empty: anybody may.
  std::string secret;
  // How long no byte may move before a peer is taken for lost. One that ends is noticed at once, so
  // this is for machines that vanish and links that are cut. What is busy answers meanwhile: a thread of its own
  // does, and a look that comes late counts as one in time.
  Seconds loss_timeout{2};
  // The coordinator's: for all workers to come. A worker's: for the coordinator to take it in; from
  // then on it waits as long as the coordinator does.
  Seconds join_timeout{30};
  // What peers send arrives when it would over this network, no sooner; none: when it is there. All devices
  // of a run have theirs of the same network, or none has.
  std::shared_ptr<SlowNetwork> slow_network = {};
  // Gets a line for people, without its end, about who is refused or ignored, and why; empty: nobody is told.
  // Threads: any.
  std::function<void(const std::string& line)> say = {};
};

// What devices have sent to each other through the coordinator.
struct RelayedLink {
  DeviceName from;
  DeviceName to;
  std::int64_t messages = 0;
  double bytes = 0;
};

// The coordinator's side.
class NetCoordinator {
 public:
  explicit NetCoordinator(const NetOptions& options);
  ~NetCoordinator();
  NetCoordinator(const NetCoordinator&) = delete;
  NetCoordinator& operator=(const NetCoordinator&) = delete;

  // "tcp://127.0.0.1:45123": what workers are given.
  const std::string& address() const;

  using Suffice = std::function<bool(const std::vector<DeviceSpec>&)>;
  // Waits until the named devices, or `at_least` so many of them, have joined and know each other's addresses.
  // `alive` is asked while waiting and throws when a local worker process has died.
  // `suffice` is asked then and with each one more: while it says no, another is waited for. None: they do.
  // The others may come later, and who is lost may come again: the mailbox then gets Hello from it.
  // Called once; before it mailbox() has a clock and no peers.
  // Who cannot be taken in (a name in use or unknown, another version) is refused, which is said. One at whose
  // address nobody answers is taken in with spec.relayed.
  // Errors: WorldError names who is missing when join_timeout passes, and who is lost when all had
  // joined.
  std::vector<DeviceSpec> wait_for(const std::vector<DeviceName>& names,
                                   const std::function<void()>& alive, std::size_t at_least = 0,
                                   const Suffice& suffice = {});

  Mailbox& mailbox();

  // Lets the loop on mailbox() end: it receives Stop from the coordinator itself. Threads: any.
  void tell_to_end();

  // The mailbox of a client in this process (is_client), for a thread of its own. It reaches the
  // coordinator only, and may be used until the coordinator is destroyed; its name is free again when it is.
  // REQUIRES: wait_for() has returned. Threads: any.
  std::unique_ptr<Mailbox> open_client(const DeviceName& name);
  // Of the pairs of devices whose messages this process has passed on, by name. Threads: any.
  std::vector<RelayedLink> relayed() const;

  // Stop for each that is open, whether or not the coordinator has heard of it. Threads: any.
  void stop_clients();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

inline constexpr Seconds kPatience{0.5};

struct NetWorkerOptions {
  DeviceSpec spec;          // a charge below 0: what its batteries say, if they do
  std::string coordinator;  // "tcp://host:port"
  NetOptions net;
  // Called once, on a thread of the device's own, when the run is over for this worker and its user
  // does not hear of it, because it computes: the coordinator's Stop, or its loss for `reason`
  // (empty after Stop), has waited for kPatience. It may end the process; when it returns the
  // device goes on. Empty: such a message waits for receive() as others do.
  std::function<void(const std::string& reason)> on_unheard_end;
  // With a key of one's own: which the coordinator has to have.
  std::optional<PublicKey> coordinator_key = {};
  // What lets a device in that the coordinator does not know; without keys, its run's secret.
  std::string token = {};
  // Where the folders power_supply and thermal are.
  std::string sensors = "/sys/class";
};

// What this machine is like at present. `sensors`: as NetWorkerOptions'.
Telemetry read_telemetry(const std::string& sensors);

// There is no run for this worker, and there may be one later: no coordinator listens, or it has no place
// for this one now, or ended before all had joined, or it has gone on without this one.
class NoRunYet : public WorldError {
 public:
  using WorldError::WorldError;
};

class NetWorker : public Device {
 public:
  // Lets the worker's loop end: it receives Stop from the coordinator. Threads: any.
  virtual void tell_to_end() = 0;
};

// A worker's side: connects, says Hello, and returns once the coordinator has answered with the
// directory of all peers. Errors: NoRunYet when it is not taken in within join_timeout and whenever asking
// again may help; WorldError when the coordinator sends it away for good.
std::unique_ptr<NetWorker> join_as_worker(const NetWorkerOptions& options,
                                          std::unique_ptr<Executor> executor);

}  // namespace lingua
