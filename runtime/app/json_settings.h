#pragma once
// The settings of a request (setting.h) as fields of a JSON object: for sweeps, and for callers from other languages.
//
// {"model": "bloom-560m", "max-tokens": 20, "planner": "dp", "prompt": ["Hello", "Goodbye"]}: names as on the command
// line without its dashes (or with underscores between words), flags as booleans, what may be repeated as a list.
// What is read from text, as max-batch (4 or "auto"), is a string or a number. null: as if it were not there.

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "runtime/app/setting.h"

namespace lingua {

// Sets what the object names; all else stays as it is. Errors: UsageError that names the setting for one that is not
// known, a wrong type, a value out of range, settings that exclude or need each other, one that is required and not
// there. What was set before the error stays set.
void set_from_json(const nlohmann::json& json, const VisitSettings& visit);

// A request of which the object sets what it names: request_of(settings, visit_simulation).
template <class Request>
Request request_of(const nlohmann::json& settings, void (*visit)(Request&, SettingVisitor&)) {
  Request request;
  set_from_json(settings, [&](SettingVisitor& visitor) { visit(request, visitor); });
  return request;
}

// One object for each setting, in their order: "name", "type" ("boolean", "integer", "number", "string", "list"),
// "default" (null where none is told) and "help"; where they apply "value" (what a value is called), "least", "most",
// "choices", "required", "not_with", "only_with".
nlohmann::json settings_json(const VisitSettings& visit);

// Those that somebody who wrote `name` may have meant.
std::vector<std::string> names_like(const std::string& name, const std::vector<std::string>& known);

}  // namespace lingua
