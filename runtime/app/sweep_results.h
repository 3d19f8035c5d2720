#pragma once
// The database of a sweep as the table that reports take (report/result_table.h).
//
// Columns: what the axes set, in the order of the specification; then results, of which texts that are the same in
// all rows are left out, as are digests. Units follow from names ("prefill_s", "sent_bytes").
// Errors: those of sweep/store.h.

#include <filesystem>
#include <nlohmann/json.hpp>

#include "runtime/report/result_table.h"

namespace lingua {

// A setting or result as a cell: what is neither a number nor a text as JSON writes it, "true".
ResultValue result_value_of(const nlohmann::json& value);

ResultTable results_of_sweep(const std::filesystem::path& database);

}  // namespace lingua
