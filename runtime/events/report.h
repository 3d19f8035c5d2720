#pragma once
// Metrics for programs (JSON) and for people (a table).

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "runtime/events/metrics.h"

namespace lingua {

// {"tokens_per_s", "ttft_s", "tpot_s", "makespan_s",
//  "percentiles": {"p50": {"latency_s", "ttft_s", "tpot_s"}, "p90", "p95", "p99": the same},
//  "requests": [{"request", "start_s", "end_s", "ttft_s", "tpot_s", "token_count"}],
//  "devices": [{"name", "busy_s", "busy_share", "idle_s": {"link", "no_input"}}],
//  "links": [{"from", "to", "bytes", "result_bytes", "messages", "mean_s"}]}; every number is finite.
// Where they are known also "bytes_per_token"; "energy_j", "energy_per_token_j", "tokens_per_j", "battery_h" (of the
// battery that is empty first), "energy_j" of each device and link, and "battery_h" of each device; "queueing_s" of each percentile and request; where an objective was given
// "goodput": {"ttft_s", "tpot_s", "arrived", "met", "share", "requests_per_s"}.
nlohmann::json summary_json(const Metrics& metrics);

// Of hours by device those of the battery that is empty first.
std::optional<double> shortest(const std::map<DeviceName, double>& hours);
// The same in words: empty where none is known.
std::string battery_line(const std::map<DeviceName, double>& hours);

// JSON as text, for files and terminals: what is no UTF-8 becomes U+FFFD, and characters that a
// terminal obeys stand escaped.
std::string json_text(const nlohmann::json& json, int indent = 2);

// One line of totals, one of goodput where an objective was given, one of energy where it is known; the
// percentiles of several requests; a row per device with its time as a bar, computing (#) and waiting for
// a link (~); a row per link. Tables fit 80 columns when no device's name has more than 9.
// Lines end in "\n".
std::string summary_table(const Metrics& metrics);

}  // namespace lingua
