#pragma once
// A change of the plan while a run goes on: what is asked for it, and what came of it.
//
// Plain values. Units: seconds, bytes, tokens.

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "runtime/engine/deployment.h"
#include "runtime/plan/crossing.h"
#include "runtime/plan/membership.h"

namespace lingua {

// What a move is taken to be good for, and to cost.
struct MoveForecast {
  double gain_s = 0;         // the run ends so much sooner, the cost taken off
  double weights_bytes = 0;  // that devices lack
  double prepare_s = 0;      // until they have them, beside the work that goes on
  double copy_s = 0;         // then states are copied, beside it too
  double pause_s = 0;        // no token comes for so long, of a request that crosses
};

// How the requests that run cross, and what of it is forecast.
struct CrossingPlan {
  Crossings crossings;
  double copy_s = 0;
  double pause_s = 0;
};

struct RunState;

struct Move {
  Deployment deployment;  // its epoch is the coordinator's to say
  Crossings crossings;
  MoveForecast forecast;
  std::string why;  // in one line
  // Asked when devices have what they lacked: since the move was decided requests have come and ended. Empty: as
  // is said above.
  std::function<CrossingPlan(const RunState&)> cross = {};
};

struct MoveRecord {
  std::string why;
  MoveForecast forecast;  // of copies and the pause: when devices had what they lacked
  Epoch epoch = 0;
  std::string plan;  // "a 0-3 | b 4-9"
  Seconds decided{0};
  Seconds ready{0};          // when the devices had what they lacked
  Seconds switched{0};       // when new requests could go there
  double weights_bytes = 0;  // that were sent
  // Of them, by the device, or the coordinator, that had them.
  std::map<DeviceName, double> weights_from = {};
  double states_bytes = 0;  // that devices gave each other
  int ended = 0;            // requests that ended where they ran
  // That crossed.
  int rebuilt = 0;
  int moved = 0;
  int kept_twice = 0;
  int requests() const { return rebuilt + moved + kept_twice; }
  // The longest time between two tokens of one of them, the one before and the first after; 0: none crossed.
  double pause_s = 0;
  std::string failed;  // why it came to nothing; empty where it did not
};

// What the coordinator sees of a run when it asks whether to move.
struct RunState {
  struct Request {
    RequestId id = 0;
    std::int64_t prompt_tokens = 0;
    std::int64_t made = 0;        // tokens
    std::int64_t max_tokens = 0;  // of them
    bool runs = false;            // it has been admitted
    Seconds since{0};             // for so long
  };
  Seconds now{0};
  bool between = false;  // asked because a request has ended; else because devices have reported
  int ended = 0;         // requests
  // Devices that have joined since it was asked last: the deployment was planned without them.
  std::vector<DeviceName> joined;
  // Those that have not ended; made when it is asked for, since there may be many.
  std::function<std::vector<Request>()> requests;
  const Deployment* deployment = nullptr;  // that takes new requests
  const Membership* membership = nullptr;
};

}  // namespace lingua
