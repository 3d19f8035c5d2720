#pragma once
// A Device over ZeroMQ: each device is a process with one inbox; peers connect to it directly.
//
// The coordinator listens on an address that workers are given. A worker says Hello with its spec
// and the address of its own inbox; the coordinator tells all workers who listens where.
// Clock: now() counts from the coordinator's start; a worker estimates its offset when it joins
// (the exchange with the shortest round trip of several) .
// Losses: a peer whose connection breaks or that misses heartbeats for `loss_timeout` becomes one
// PeerLost message. A worker sees the coordinator's loss, the coordinator every worker's.
// Threads: one background thread owns all sockets; the Device belongs to its one user.
// Errors: WorldError for a port in use or an address that is none; a message that cannot be decoded
// makes its sender lost ("answers nonsense: ...").

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/device/device.h"

namespace lingua {

struct NetOptions {
  std::string listen = "tcp://127.0.0.1:*";  // own inbox
  Seconds loss_timeout{3};
  Seconds join_timeout{30};
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

  // Waits until the named devices have said Hello and know each other's addresses. `alive` is asked
  // while waiting and throws when a local worker process has died.
  // Errors: WorldError names who is missing when join_timeout passes, and a name that joins twice.
  std::vector<DeviceSpec> wait_for(const std::vector<DeviceName>& names,
                                   const std::function<void()>& alive);

  Device& device();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

struct NetWorkerOptions {
  DeviceSpec spec;
  std::string coordinator;  // "tcp://host:port"
  NetOptions net;
};

// A worker's side: connects, says Hello, and returns once the coordinator has answered with the
// directory of all peers. Errors: WorldError when it does not within join_timeout.
std::unique_ptr<Device> join_as_worker(const NetWorkerOptions& options,
                                       std::unique_ptr<Executor> executor);

}  // namespace lingua
