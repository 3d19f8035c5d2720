#pragma once
// Has the faults of a plan strike a simulated cluster, between any two effects of the roles that run on it.
//
// Bodies run on decorated devices. Time at which a message-counted fault strikes: before that message is handed
// over, a microsecond later than the device would have sent it.
// Notice: as the real transport gives it (runtime/net/net_device.h). Who has a connection to a device that is
// silent, or over a link that is cut, has its PeerLost within the loss timeout and an eighth; who first needs one
// later, so much later. The coordinator has one to each device, and each to it. A connection dies whole when
// one of its directions does: until its end notices it, what comes the other way arrives.
// A device that comes back has new connections; over a link that was cut it gets none, and without one to the
// coordinator it does not come.
// Ownership: the injector outlives the run. Threads: SimGrid's one. Determinism: by the plan.

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "runtime/base/random.h"
#include "sim/cluster/sim_cluster.h"
#include "sim/fault/fault_plan.h"

namespace lingua {

struct FaultOptions {
  Seconds loss_timeout{1};
  // What a message that a liar says is when it has come over the wire. Errors: InputError where the transport
  // refuses it, which takes its sender for lost. Empty: all pass.
  std::function<MessageBody(const MessageBody&)> over_the_wire = {};
};

class FaultInjector {
 public:
  // Orders what strikes at a time. REQUIRES: the cluster outlives it; before run().
  FaultInjector(SimCluster& cluster, FaultPlan plan, FaultOptions options);
  ~FaultInjector();
  FaultInjector(const FaultInjector&) = delete;
  FaultInjector& operator=(const FaultInjector&) = delete;

  // For SimCluster::start(), of each device and the coordinator. The body must not send() inside a catch block
  // anything but Stop, before which nothing strikes.
  std::function<void(Device&)> faulty(std::function<void(Device&)> body);

  // A device that is absent, or lost by then, comes.
  void join_at(Seconds when, const DeviceName& device);

  // Ends the device's body as when its process ends: its peers are told. In an actor; never returns.
  [[noreturn]] void die(Device& device);

  // What has struck so far, in order: "0.3127 s: kill b".
  const std::vector<std::string>& struck() const { return struck_; }
  // What each device has sent, Stop aside.
  const std::map<DeviceName, int>& sent() const { return sent_; }

 private:
  friend class FaultyDevice;

  void strike(const Fault& fault, Seconds now);
  void come(const DeviceName& device, Seconds now);
  void hang(const DeviceName& device, Seconds now);
  void cut(const DeviceName& from, const DeviceName& to, Seconds now);
  // A connection from one to another is dead from now on.
  void break_connection(const DeviceName& from, const DeviceName& to, Seconds now);
  void tell(const DeviceName& at, const DeviceName& peer, Seconds now);
  bool has_connection(const DeviceName& from, const DeviceName& to) const;
  void note_sent(const DeviceName& from, const DeviceName& to, Seconds now);
  void note(const Fault& fault, Seconds now);

  using Way = std::pair<DeviceName, DeviceName>;

  SimCluster& cluster_;
  const FaultPlan plan_;
  const FaultOptions options_;
  Rng rng_;
  std::set<DeviceName> names_;      // whose bodies are decorated
  std::set<Way> connections_;       // that something was sent over
  std::set<Way> broken_;            // connections, there or to come
  std::set<Way> cut_;               // links, both ways
  std::map<DeviceName, int> sent_;  // by device
  std::vector<std::string> struck_;
};

}  // namespace lingua
