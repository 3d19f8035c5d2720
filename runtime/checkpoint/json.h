#pragma once
// JSON from files that nobody vouches for, and text from them as a message can show it.
//
// Errors: InputError in one line.

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace lingua {

// No deeper than `max_depth`, no key twice in an object. `origin` names the file.
nlohmann::json parse_json(std::string_view text, const std::string& origin, int max_depth);

// Text from such a file as an error message can show it: escaped, in quotes, cut when long.
std::string quoted(const std::string& text);

}  // namespace lingua
