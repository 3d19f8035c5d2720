#pragma once
// A cluster of phones inside SimGrid: each device an actor on a modelled host.
//
// The same worker and coordinator loops as on real devices run here as actors. Compute is charged
// by device/roofline.h, transfers by SimGrid's network model over the cluster's links.
// Links: alone on its path a message takes latency + bytes / bandwidth. A device's up- and
// downlink are its own (a phone's radio) and shared by its flows; shared_bytes_per_s is a medium
// that all flows share, the coordinator's too. Shares are max-min fair. The messages of a pair are
// one stream: in order, their latencies overlap.
// Losses: a killed device's body is unwound; messages under way from it and to it are lost, and all
// others who run have its PeerLost at that instant, after what it has delivered. Links that are cut and devices
// that fall silent are told by nobody: sim/fault/ says who notices and when.
// Joins: a device may be absent at the beginning and may come, or come again. Then it runs its body from the
// start, with nothing of what it had, and says Hello to the coordinator; what was under way to or from
// what it was is lost. A body that joins after the coordinator's has returned does not begin.
// Determinism: the same inputs give the same events, to the last bit.
// Threads: one SimCluster per process (SimGrid's clock cannot be reset); run() blocks. A body must
// not receive() or run a segment inside a catch block: other bodies run meanwhile on its thread.
// Errors: WorldError when all who run wait for ever (deadlock), with the names of those that wait.
// Source: SimGrid (Casanova et al., JPDC 74(10), 2014). The network model is pinned: CM02 without
// empirical factors; latency is paid before the bytes flow.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/device/device.h"
#include "runtime/supply/supply.h"

namespace lingua {

struct SimOptions {
  // Bytes of a message on the wire; the real encoding's (net/ gives it).
  std::function<double(const MessageBody&)> wire_bytes;
  // Makes the numerics of a device: shapes only (make_shape_executor) or LibTorch.
  std::function<std::unique_ptr<Executor>(const DeviceSpec&)> make_executor;
};

class SimCluster {
 public:
  SimCluster(const ClusterSpec& cluster, SimOptions options);
  ~SimCluster();
  SimCluster(const SimCluster&) = delete;
  SimCluster& operator=(const SimCluster&) = delete;

  // What a device (or the coordinator) runs. REQUIRES: before run(), once per name.
  void start(const DeviceName& device, std::function<void(Device&)> body);
  // The same of a client (is_client), which is where the coordinator is: messages between the two take
  // no time.
  void start_client(const DeviceName& name, std::function<void(Mailbox&)> body);

  // A device is not there until it joins. REQUIRES: before its start().
  void be_absent(const DeviceName& device);

  // Runs until all bodies have returned. An exception of a body ends the run and comes out here.
  void run();

  // The configuration of the simulator, for the log of a run: version and pinned model.
  static std::string configuration();

  // Fault controls: on the cluster, never on a Device. Effective at a virtual time; may be called
  // before run() and in it. REQUIRES: the device exists. One that has finished cannot be killed.
  void kill_at(Seconds when, const DeviceName& device);
  // A device that is not there, because it was absent, lost or silent, is there from then on. One that is
  // there stays as it is. Links that were cut stay cut. REQUIRES: not when it is lost, but later.
  void join_at(Seconds when, const DeviceName& device);
  // A device falls silent: it takes and sends nothing from then on. What it has sent arrives, and nobody is
  // told; its peers find out by lose_at().
  void hang_at(Seconds when, const DeviceName& device);
  // All that is under way from one device to another is lost, and all that it sends from then on; nobody is
  // told. REQUIRES: they are two.
  void cut_at(Seconds when, const DeviceName& from, const DeviceName& to);
  // What one device sends to another from then on arrives no sooner than after `time`; in order, as ever.
  void delay_at(Seconds when, const DeviceName& from, const DeviceName& to, Seconds time);
  // A device takes another for lost: it has that one's PeerLost, once, and neither hears from it nor reaches it
  // any more. The other is not told. Not of one that has joined since this was ordered, nor by it.
  void lose_at(Seconds when, const DeviceName& at, const DeviceName& peer,
               const std::string& reason);
  // Calls `call` outside of all bodies: it may order faults and look at values, and must not block.
  void call_at(Seconds when, std::function<void()> call);
  // Multiplies a device's speed by `factor` from then on, also of what it is computing; a factor
  // of 1 / factor restores it. REQUIRES: factor > 0.
  void throttle_at(Seconds when, const DeviceName& device, double factor);

  // What a device gives over time (runtime/supply), from then on and for what is under way too. Its speed is
  // so many times the cluster's, besides what throttle_at() makes of it.
  void set_speed_at(Seconds when, const DeviceName& device, double speed);
  // So many times the bandwidth of its links that the cluster says; one of a pair gives what the slower of
  // its two ends does, a shared medium what it always does. A change moves what is under way by half a byte
  // at most. REQUIRES, of both: more than 0.
  void set_bandwidth_at(Seconds when, const DeviceName& device, double factor);
  // All that a supply says: speeds, bandwidths, that a device goes, which is killed, and that it comes.
  // REQUIRES: it is of the cluster; before start(), once.
  void follow(const SupplyTrace& supply);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// Gives outputs with the right shapes and no data. Pure bookkeeping, no time.
std::unique_ptr<Executor> make_shape_executor();

}  // namespace lingua
