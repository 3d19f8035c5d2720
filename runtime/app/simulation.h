#pragma once
// A study that runs on a modelled cluster in virtual time, inside SimGrid.
//
// Determinism: the same request gives the same result, to the last bit.
// Threads: one simulation per process (SimGrid's clock cannot be reset): a sweep forks one for each. A study with
// a share of --robust or --spread forks for its draws, before it runs itself.
// Errors: those of the parts; each names its option, file and field.

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>

#include "runtime/app/audience.h"
#include "runtime/app/balancing.h"
#include "runtime/app/course.h"
#include "runtime/app/results.h"
#include "runtime/app/study.h"

namespace lingua {

struct SimulationRequest {
  StudyOptions study;
  CourseOptions course;
  BalanceOptions balance;  // may_join is found out
  double wait_s = 0;       // for a device to join where those that are left cannot go on
  bool numerics = false;   // real ones, as `emulate` has them; else shapes without contents
};

// What `simulate` and `emulate` take.
void visit_simulation(SimulationRequest& request, SettingVisitor& visitor);

struct Simulation {
  RunWorld world;
  Study study;
  RunResult result;
  std::optional<PlanSpread> spread;      // simulated, where other speeds were asked for
  nlohmann::json extra;                  // what run_json() says besides
  std::function<void()> write_messages;  // where that was asked for; else empty
};

Simulation simulate(const SimulationRequest& request, const Audience& audience);

// What `lingua simulate --json` prints, or `emulate`; the files that the request names are written.
nlohmann::json simulate_json(const SimulationRequest& request, const Audience& audience);

}  // namespace lingua
