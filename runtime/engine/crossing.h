#pragma once
// Requests on their way from the deployments that they run in to one that is ready: what the coordinator knows
// of it.
//
// Plain values.

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "runtime/engine/deployer.h"
#include "runtime/engine/move.h"
#include "runtime/engine/state_moves.h"
#include "runtime/engine/state_room.h"

namespace lingua {

// An epoch that is served, and what its requests take of the devices' memory.
struct Service {
  std::unique_ptr<Deployer> deployer;
  StateRoom room;
};

struct RequestsThatCross {
  // REQUIRES: it outlives this.
  explicit RequestsThatCross(const Deployment& next) : states(next) {}

  enum class Phase {
    kCopying,     // states are copied ahead, while requests run
    kSuspending,  // requests stop where they run
    kCarrying,    // states move, or what is missing of those that were copied
  };
  Phase phase = Phase::kCopying;
  int rounds = 0;  // of copying
  StateMoves states;
  std::map<RequestId, Crossing> how;             // of those that were told to stop
  std::map<RequestId, std::int64_t> cached;      // of those: tokens whose states all devices had
  std::set<std::pair<Epoch, DeviceName>> asked;  // whose Suspended has not come
  struct Memory {                                // of a device, in bytes
    double free = 0;
    double states = 0;
    std::map<Epoch, double> weights;
  };
  std::map<DeviceName, Memory> memory;
  std::vector<Service> left;  // where nobody runs any more
};

}  // namespace lingua
