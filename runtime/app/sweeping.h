#pragma once
// What the points of a sweep are: simulations and plans, by the settings of `simulate` and `plan`.
//
// Left out are settings that name files to write, and those that change only what is said: a point has a row.
// Threads: one at a time. Errors: those of the parts.

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "runtime/sweep/sweep.h"

namespace lingua {

// A point's result is what `--json` prints, without what planning took on this machine's clock.
// `version`: of the program.
SweepTools sweep_tools(const std::string& version);

// What `lingua sweep run --json` prints, and `lingua sweep plan --json`.
nlohmann::json outcome_json(const SweepRunOutcome& outcome, const SweepRunRequest& request);
nlohmann::json preview_json(const SweepPreview& preview);

// The command that runs a point alone, for a shell: "lingua simulate --cluster 'my phones.yaml' ...".
std::string command_of_point(const std::string& what, const nlohmann::json& settings);

}  // namespace lingua
