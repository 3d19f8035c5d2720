#pragma once
// What is kept of the result of a point.
//
// A result's scalars are flattened: {"latency": {"mean_s": 2}} becomes {"latency.mean_s": 2}. Lists are kept where
// `keep` names them or what holds them, by their places ("devices.0.busy_s").

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace lingua {

// `keep` names results ("latency.mean_s"), or what stands before a dot in them ("latency"); empty: all scalars but
// those in lists. What the result does not have is left out.
nlohmann::json kept_results(const nlohmann::json& result, const std::vector<std::string>& keep);

// Whether a flattened name is one that `kept` names.
bool is_kept_by(const std::string& kept, const std::string& name);

}  // namespace lingua
