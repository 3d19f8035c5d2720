#pragma once
// Runs a scenario over the engine's own loops inside SimGrid, and checks what must hold.
//
// Determinism: by the scenario, to the last bit. One run per process (SimGrid's clock cannot be reset).

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/device/device.h"
#include "runtime/model/model_source.h"
#include "tests/stress/scenario.h"

namespace lingua::testing {

// What a test puts in the place of the toy's numerics, and between the engine and its devices; may be empty.
struct StressParts {
  std::function<std::unique_ptr<Device>(Device&)> coordinator;
  std::function<std::unique_ptr<Device>(Device&)> device;  // each of them
  std::function<std::unique_ptr<Executor>()> executor;
  ModelSource* source = nullptr;
};

struct StressResult {
  std::vector<std::string> violations;
  std::string error;  // with which the run ended; empty: in order
  int answered = 0;
  int refused = 0;
  int recoveries = 0;
  int joins = 0;
  int joins_used = 0;  // by a plan that served
  int moves = 0;
  double ended_s = 0;             // virtual time
  double longest_recovery_s = 0;  // of those that came to their end
  std::vector<std::string> struck;
  std::string log;  // what the client saw, and the digest of the event log
};

StressResult run_scenario(const Scenario& scenario, const StressParts& parts = {});

}  // namespace lingua::testing
