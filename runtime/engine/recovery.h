#pragma once
// A loss after which a run goes on: what is asked for it, and what came of it.
//
// Plain values. Units: seconds, bytes.

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/engine/deployment.h"
#include "runtime/engine/move.h"
#include "runtime/plan/membership.h"

namespace lingua {

// What the coordinator sees of a run when something of it is lost, or when a device joins that it waits for.
struct LossState : Membership {
  Seconds now{0};
  Held held;  // what the devices that are left have for certain
  std::vector<RunState::Request> requests;
};

// What a recovery is taken to cost.
struct RecoveryForecast {
  double weights_bytes = 0;  // that devices lack
  double ready_s = 0;        // until they have them
  double rebuild_s = 0;      // and until the requests that ran have their next token
};

struct RecoveryPlan {
  RecoveryPlan() = default;
  // One that nothing is predicted of.
  RecoveryPlan(Deployment deployment) : deployment(std::move(deployment)) {}

  Deployment deployment;  // its epoch is the coordinator's to say
  std::string chosen;     // from what, in a few words
  std::optional<RecoveryForecast> forecast;
};

struct Recovery {
  std::string why;           // in one line: who was lost, and what of the model with it
  Seconds lost{0};           // when it was seen
  Seconds ready{0};          // when the devices that are left could go on
  double weights_bytes = 0;  // that were sent for it
  int requests = 0;          // that begin again with the tokens they have
  std::string chosen = {};   // the plan, of the last loss where one came in the middle of another
  std::optional<RecoveryForecast> forecast = {};
  // When the last of these requests had its next token; none where they had none to come.
  std::optional<Seconds> resumed = {};
};

}  // namespace lingua
