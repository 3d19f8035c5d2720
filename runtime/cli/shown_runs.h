#pragma once
// Simulations and plans with all that they print and write, for their own verbs and for `rerun`.
//
// Both return what --json prints.

#include <nlohmann/json.hpp>

#include "runtime/app/planning.h"
#include "runtime/app/simulation.h"

namespace lingua {

nlohmann::json run_simulation(const SimulationRequest& request);
nlohmann::json run_planning(const PlanningRequest& request);

}  // namespace lingua
