#pragma once
// What came of a run: as one JSON object for machines, and in the files that were asked for.
//
// Errors: InputError for a file that cannot be written.

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "runtime/app/audience.h"
#include "runtime/app/study.h"
#include "runtime/engine/run.h"
#include "runtime/events/metrics.h"

namespace lingua {

struct RunWorld {
  std::string name;            // "simulated", "emulated", "real"
  std::string configuration;   // of the simulator; empty in the real world
  bool deterministic = false;  // its digest tells whether two runs are the same
};

// "bloom-560m on three-phones (simulated)".
std::string run_title(const RunWorld& world, const Study& study);

// With energy and, where times are asked for, how many requests kept to them.
Metrics metrics_of(const StudyOptions& options, const Study& study, const RunResult& result);

// All of a run: what it was of, what it measured, the answers. `extra`: an object, or null; its fields are added.
nlohmann::json run_json(const RunWorld& world, const StudyOptions& options, const Study& study,
                        const RunResult& result, const nlohmann::json& extra = {});

// Does `first` (printing, say), then writes the event log and the timeline: what one of them cannot do does not
// keep the others from being done. Throws the first failure in the end.
void write_results(const OutputOptions& output, const EventLog& log, const std::string& title,
                   const std::vector<std::function<void()>>& first, const Audience& audience);

// Writes the outputs of a single pass, where that is asked for. It refers to both.
std::function<void()> outputs_writer(const OutputOptions& output, const std::vector<Done>& answers,
                                     const Audience& audience);

// What came of one request: "tokens", "finish" ("stop" or "length") and with a tokenizer "prompt"
// and "text"; or of a single pass "outputs" and what a classifier says by them.
nlohmann::json answer_json(const Done& answer, const Study& study);

// {"label": that of the highest score, "scores": {label: score}}, and where several may be right
// "labels": those with more than a half.
nlohmann::json class_json(const Tensor& logits, const ImportedModel& model);

// The plan and what belongs to it: the dtype, segments in int8, the spread, the secondary plan, spares.
std::string plan_text(const Study& study);

// The same beside the plan itself: "dtype", "int8_segments", "spread", "secondary", "spares", where there are any.
nlohmann::json plan_extras_json(const Study& study);

// "int8: segments 0-3 of 16\n"; empty when there are none.
std::string int8_line(const Study& study);

}  // namespace lingua
