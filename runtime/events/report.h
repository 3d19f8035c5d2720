#pragma once
// Metrics for programs (JSON) and for people (a table).

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "runtime/events/metrics.h"

namespace lingua {

// {"tokens_per_s", "ttft_s", "tpot_s", "makespan_s",
//  "percentiles": {"p50": {"latency_s", "ttft_s", "tpot_s"}, "p95": the same},
//  "requests": [{"request", "start_s", "end_s", "ttft_s", "tpot_s", "token_count"}],
//  "devices": [{"name", "busy_s", "busy_share"}],
//  "links": [{"from", "to", "bytes", "messages", "mean_s"}]}; every number is finite.
// Where energy is known also "energy_j", "energy_per_token_j", and "energy_j" of each device and link;
// the keys are left out where it is not.
nlohmann::json summary_json(const Metrics& metrics);

// JSON as text, for files and terminals: what is no UTF-8 becomes U+FFFD, and characters that a
// terminal obeys stand escaped.
std::string json_text(const nlohmann::json& json, int indent = 2);

// One line of totals, one of energy where it is known, then a row per device with its busy share as a
// bar, then a row per link.
// Lines end in "\n".
std::string summary_table(const Metrics& metrics);

}  // namespace lingua
