#pragma once
// How requests cross to another plan, each by the way that costs the run least, and what that is predicted to take.
//
// Pure; deterministic. Source: ours; EdgeVisor (2026) measures the three ways apart and chooses none.
// A request whose context is short is rebuilt sooner than its states move; one whose states are large is kept twice
// where links are idle; one that is over before it could have crossed ends where it runs: while others end, two plans
// take turns on the same devices, which is not predicted. Units: seconds.

#include <vector>

#include "runtime/balance/forecast.h"
#include "runtime/plan/crossing.h"

namespace lingua {

struct CrossingChoice {
  Crossings crossings;
  double copy_s =
      0;  // beside the work, once the devices have their weights: states that are kept twice
  double pause_s = 0;  // no token comes for so long, of a request that crosses
  // The run ends so much later than one would in which the plan changed at once and no request had to cross.
  double loss_s = 0;
};

// `stop_s`: until the devices have stopped the requests. REQUIRES: what the forecast refers to outlives the call.
CrossingChoice choose_crossing(const Forecast& forecast, const Plan& before, const Plan& after,
                               double stop_s);

// What it costs when each of the requests that run, in the forecast's order, takes this way.
CrossingChoice cost_of_crossing(const Forecast& forecast, const Plan& before, const Plan& after,
                                double stop_s, const std::vector<Crossing>& ways);
}  // namespace lingua
