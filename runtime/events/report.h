#pragma once
// Metrics for programs (JSON) and for people (a table).

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "runtime/events/metrics.h"

namespace lingua {

// {"tokens_per_s", "ttft_s", "tpot_s", "makespan_s",
//  "requests": [{"request", "start_s", "end_s", "ttft_s", "tpot_s", "token_count"}],
//  "devices": [{"name", "busy_s", "busy_share"}],
//  "links": [{"from", "to", "bytes", "messages", "mean_s"}]}; every number is finite.
nlohmann::json summary_json(const Metrics& metrics);

// One line of totals, then a row per device with its busy share as a bar, then a row per link.
// Lines end in "\n".
std::string summary_table(const Metrics& metrics);

}  // namespace lingua
