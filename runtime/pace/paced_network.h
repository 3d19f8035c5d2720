#pragma once
// The network of a paced run: between real processes of one machine, as slow as that of a cluster.
//
// The processes share a file in which each notes what it sends and when. Each computes from it, by
// the same model (network_model.h), when messages to it arrive: none is asked, none waits for another, and
// one that dies leaves nothing behind. Two processes may see notes of the same microsecond in another
// order; their models then differ by as much.
// Trust: a worker runs what came over the network; a note that cannot be is skipped.

#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <mutex>
#include <vector>

#include "runtime/net/slow_network.h"
#include "runtime/pace/delays.h"
#include "runtime/pace/network_model.h"
#include "runtime/pace/supply_clock.h"

namespace lingua {

class PacedNetwork final : public SlowNetwork {
 public:
  // `file` is there. Errors: WorldError when it cannot be opened or written.
  // REQUIRES: `self` is a device of the cluster or the coordinator.
  PacedNetwork(const ClusterSpec& cluster, DeviceName self, const std::filesystem::path& file);
  ~PacedNetwork() override;
  PacedNetwork(const PacedNetwork&) = delete;
  PacedNetwork& operator=(const PacedNetwork&) = delete;

  // From now on its bandwidths are those of the supply. Once. Threads: any.
  void follow(const SupplyClock& supply);

  void send(const DeviceName& to, double bytes) override;
  std::optional<Clock::time_point> take_arrival(const DeviceName& from,
                                                Clock::time_point came) override;
  Clock::time_point next_look() override;

  // Of the messages taken: those that were really here later than they should have been.
  Delays delays() const { return delays_.read(); }

 private:
  void catch_up();

  const std::vector<DeviceName> names_;  // a note has their numbers
  const std::map<DeviceName, int> number_of_;
  const DeviceName self_;
  int file_ = -1;

  std::mutex mutex_;
  std::int64_t read_bytes_ = 0;
  NetworkModel model_;
  std::map<DeviceName, std::deque<double>> arrived_;  // here, and not taken
  DelayCounter delays_;
};

}  // namespace lingua
