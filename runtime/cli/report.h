#pragma once
// What a run shows: tables for people on standard error, one JSON object for machines on standard output.

#include <functional>
#include <nlohmann/json.hpp>

#include "runtime/app/results.h"
#include "runtime/app/study.h"
#include "runtime/engine/run.h"

namespace lingua {

// Prints the tables or the JSON, then writes what the output options ask for, and with `write_messages`, which may
// be empty, the messages.
void report_run(const RunWorld& world, const std::function<void()>& write_messages,
                const StudyOptions& options, const Study& study, const RunResult& result,
                const nlohmann::json& extra = {});

}  // namespace lingua
