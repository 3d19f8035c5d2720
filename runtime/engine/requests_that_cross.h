#pragma once
// Requests on their way from the deployments that they run in to one that serves beside them: what the coordinator
// knows of it.
//
// Plain values.

#include <map>
#include <memory>
#include <set>

#include "runtime/engine/deployer.h"
#include "runtime/engine/state_moves.h"
#include "runtime/engine/state_room.h"
#include "runtime/plan/crossing.h"

namespace lingua {

// An epoch that is served, and what its requests take of the devices' memory.
struct Service {
  std::unique_ptr<Deployer> deployer;
  StateRoom room;
};

struct RequestThatCrosses {
  enum class Phase {
    kCopying,   // its states are copied, while it runs
    kRunning,   // it stops when its next token comes
    kStopping,  // it was told to
    kCarrying,  // its states move, or what is missing of those that were copied
  };
  Crossing how = Crossing::kRebuild;
  Phase phase = Phase::kRunning;
  int rounds = 0;              // of copying
  std::set<DeviceName> asked;  // whose Suspended has not come
  std::int64_t cached = 0;     // tokens whose states all devices had when it stopped
};

struct RequestsThatCross {
  // REQUIRES: it outlives this.
  RequestsThatCross(const Deployment& next, std::size_t move) : states(next), move(move) {}

  StateMoves states;
  std::map<RequestId, RequestThatCrosses> requests;
  std::size_t move;  // the number of its record
};

}  // namespace lingua
