#include "runtime/text/json_field.h"

#include <fmt/format.h>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/checkpoint/json.h"

namespace lingua {

using nlohmann::json;

void JsonField::refuse(const std::string& accepted) const {
  const bool nested = value_->is_object() || value_->is_array();
  const std::string shown = nested ? std::string(value_->is_object() ? "an object" : "an array")
                            : value_->is_string()
                                ? lingua::quoted(value_->get_ref<const std::string&>())
                            : exists() ? value_->dump(-1, ' ', true, json::error_handler_t::replace)
                                       : "missing";
  throw InputError(fmt::format("{} is {}; {}", where_, shown, accepted));
}

JsonField JsonField::operator[](const std::string& key) const {
  static const json kNothing;
  if (!value_->is_object()) refuse(fmt::format("an object with the member '{}' is accepted", key));
  const auto found = value_->find(key);
  return {found == value_->end() ? kNothing : *found,
          fmt::format("{}{}{}", where_, where_.ends_with(": ") ? "" : ".", key)};
}

std::vector<JsonField> JsonField::items() const {
  if (!value_->is_array()) refuse("an array is accepted");
  std::vector<JsonField> fields;
  fields.reserve(value_->size());
  for (const json& item : *value_) {
    fields.emplace_back(item, fmt::format("{}[{}]", where_, fields.size()));
  }
  return fields;
}

const std::string& JsonField::text() const {
  if (!value_->is_string()) refuse("a string is accepted");
  return value_->get_ref<const std::string&>();
}

std::int64_t JsonField::whole() const {
  if (!value_->is_number_integer() || value_->get<std::int64_t>() < 0) {
    refuse("a whole number from 0 up is accepted");
  }
  return value_->get<std::int64_t>();
}

bool JsonField::flag(bool otherwise) const {
  if (!exists()) return otherwise;
  if (!value_->is_boolean()) refuse("true or false is accepted");
  return value_->get<bool>();
}

std::string JsonField::text(const std::string& otherwise) const {
  return exists() ? text() : otherwise;
}

json read_json_object(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) return json::object();
  json value = parse_json(read_file(path), path.string(), 64);
  if (!value.is_object()) {
    throw InputError(fmt::format("{}: is not a JSON object", path.string()));
  }
  return value;
}

}  // namespace lingua
