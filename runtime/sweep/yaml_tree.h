#pragma once
// YAML from files that nobody vouches for, as JSON in the order of the file.
//
// Plain true and false are truth values; plain numbers are numbers, whole ones whole (1.0 is 1); all else is text,
// as all in quotes is. Nothing (~, null, an empty value) is null.
// Limits: 4 MiB of text, one document, 32 deep, 1000 fields of a mapping, 16 MB when aliases are written out.
// Errors: InputError that names the file, and the line where it has one, what is wrong and what is accepted.

#include <nlohmann/json.hpp>
#include <string>

namespace lingua {

// `origin` names the file.
nlohmann::ordered_json parse_yaml(const std::string& text, const std::string& origin);

}  // namespace lingua
