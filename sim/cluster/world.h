#pragma once
// What the devices of one simulated run share.
//
// Ownership: SimCluster owns the World, the World its devices and channels.
// Threads: SimGrid's one. "In an actor" means on the stack of a device's body; everything else runs
// in SimGrid's own context, where nothing may block.

#include <deque>
#include <exception>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sim/cluster/agenda.h"
#include "sim/cluster/channel.h"
#include "sim/cluster/platform.h"
#include "sim/cluster/sim_cluster.h"
#include "sim/cluster/sim_device.h"

namespace lingua {

// Counts who runs and who waits, to know when a run can go no further: when all bodies that run
// wait for ever and nothing is under way that could wake one.
struct Population {
  int running = 0;
  int waiting_for_ever = 0;
  int under_way = 0;  // messages sent and not arrived, and kills to come

  bool stuck() const { return running > 0 && waiting_for_ever == running && under_way == 0; }
};

class World final : public Scheduled {
 public:
  World(const ClusterSpec& cluster, SimOptions options);

  Agenda& agenda() { return agenda_; }
  void set_bandwidth(SimDevice& device, double factor);
  const SimOptions& options() const { return options_; }
  SimDevice& device(const DeviceName& name);
  SimDevice& add_client(const DeviceName& name);
  Channel& channel(SimDevice& from, const DeviceName& to);

  Population& population() { return population_; }
  // After the population has changed: ends the run when it is stuck.
  void look_for_deadlock();

  // In an actor: its body returned, or threw `error`.
  void ended(std::exception_ptr error);
  // A device dies: its actor, its messages under way and those to it; all others who run are told.
  void kill(SimDevice& device);
  // One that is gone is there anew, unless its coordinator has ended. What was under way from it and to it is lost.
  void join(SimDevice& device);
  // A device takes and sends nothing any more, and nobody is told.
  void hang(SimDevice& device);
  // Ends the run: every body that still runs is unwound.
  void due() override;

  // Keeps a transfer that is over until SimGrid has let go of it, which it does before its clock goes on.
  void retire(simgrid::s4u::CommPtr comm) { retired_.emplace_back(Agenda::now(), std::move(comm)); }
  void forget_retired() {
    std::erase_if(retired_, [now = Agenda::now()](const auto& item) { return item.first < now; });
  }

  std::exception_ptr error() const { return error_; }

 private:
  void stop(std::exception_ptr error);

  ClusterSpec cluster_;
  Platform platform_;
  SimOptions options_;
  Agenda agenda_;
  Population population_;
  std::vector<std::unique_ptr<SimDevice>> devices_;
  std::unordered_map<DeviceName, SimDevice*> by_name_;
  std::deque<Channel> channels_;
  std::vector<std::pair<double, simgrid::s4u::CommPtr>> retired_;  // and when
  std::exception_ptr error_;
};

}  // namespace lingua
