#pragma once
// The values of one axis as a file writes them.
//
// Errors: what is wrong is given to the caller, who knows the file and the field.

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/sweep/spec.h"

namespace lingua {

// Throws what names the field, and what it is given.
using FailAxis = std::function<void(const std::string& what)>;

// Values, ranges and bundles of settings; each value once.
std::vector<SweepAxis::Piece> axis_pieces(const std::string& name,
                                          const nlohmann::ordered_json& values,
                                          const FailAxis& fail);

// Whether a text is a range as in "1..20".
bool is_range(const nlohmann::ordered_json& value);

// Why it can be no setting's value, and what can; empty where it can.
std::string what_is_wrong_with(const nlohmann::ordered_json& value);

bool is_setting_name(std::string_view name);
// Letters, digits and . _ -: what can stand in a file name.
bool is_identifier(std::string_view name);

// For messages: "a list"; text on one line; a value as it is written.
std::string kind_of(const nlohmann::ordered_json& value);
std::string shown(std::string_view text);
std::string shown_value(const nlohmann::ordered_json& value);

}  // namespace lingua
