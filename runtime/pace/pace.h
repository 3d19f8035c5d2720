#pragma once
// What the processes of a paced run have in common: a folder, which the coordinator makes and its workers are
// given.
//
// Supply: where the folder has one (supply/supply.h), speeds and bandwidths follow it, and a device that goes
// is killed (SIGKILL) then. Its times count on the run's clock, Mailbox::now(): the coordinator leaves the
// moment at which that showed 0 in the folder, by the machine's steady clock, which all of its processes
// read. It is off by what two readings of a clock are apart, below a microsecond; what a worker's own
// Mailbox::now() shows differs by as much as its estimate is wrong that it made when it joined, less than
// half a round trip over loopback.
// Errors: WorldError for a folder that cannot be used; InputError for a cluster file.
// Threads: the thread that makes a Pace, and those that it starts later, wait precisely (to the microsecond
// where the kernel can).

#include <filesystem>
#include <memory>
#include <string>

#include "runtime/device/device.h"
#include "runtime/net/slow_network.h"
#include "runtime/pace/delays.h"
#include "runtime/supply/supply.h"

namespace lingua {

// Puts into an empty folder what processes need to join: the cluster, the dtype of the weights that it computes with,
// the file of what they send, and what its devices give over time. REQUIRES: the supply is of the cluster. Errors: InputError for a supply
// in which a device comes back.
void make_pace(const std::filesystem::path& folder, const std::filesystem::path& cluster_file,
               const SupplyTrace& supply = {}, DType weights = DType::kFloat32);

// One process of it.
class Pace {
 public:
  // REQUIRES: make_pace() has returned, and, of a worker where there is a supply, the coordinator's begin().
  // Errors: WorldError for a name that the cluster does not have.
  Pace(const std::filesystem::path& folder, const DeviceName& self);
  ~Pace();
  Pace(const Pace&) = delete;
  Pace& operator=(const Pace&) = delete;

  // The run's clock shows `now`. Nothing where there is no supply. REQUIRES: self is the coordinator; once,
  // before there are workers.
  void begin(Seconds now);

  // For the mailroom.
  std::shared_ptr<SlowNetwork> network() const;
  // The executor of this device, as fast as the cluster says. REQUIRES: self is no coordinator; the executor
  // is gone before this is.
  std::unique_ptr<Executor> executor(std::unique_ptr<Executor> inner);

  // So far, of segments run and of messages received. Threads: any.
  Delays work() const;
  Delays messages() const;

  // Leaves them for the coordinator. May be called when no file can be opened any more; once.
  void report();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// What the process of a device reported; none where it did not.
struct PaceReport {
  Delays work;
  Delays messages;
};
PaceReport read_pace_report(const std::filesystem::path& folder, const DeviceName& device);

}  // namespace lingua
