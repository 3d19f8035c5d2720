#include "runtime/torch/config.h"

#include <fmt/format.h>

#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/checkpoint/json.h"

namespace lingua {

using nlohmann::json;

namespace {

constexpr std::uint64_t kMaxConfigBytes = 1 << 20;
constexpr int kMaxConfigDepth = 16;

}  // namespace

ConfigFields::ConfigFields(json values, std::string origin)
    : values_(std::move(values)), origin_(std::move(origin)) {
  if (!values_.is_object()) throw InputError(fmt::format("{}: is not a JSON object", origin_));
}

std::string ConfigFields::message(const std::string& field, const std::string& why) const {
  return fmt::format("{}: field '{}{}': {}", origin_, prefix_, field, why);
}

void ConfigFields::refuse(const std::string& field, const std::string& why) const {
  throw InputError(message(field, why));
}

const json* ConfigFields::find(const std::string& field) const {
  const auto it = values_.find(field);
  return it == values_.end() || it->is_null() ? nullptr : &*it;
}

std::int64_t ConfigFields::checked(const std::string& field, const json& value, std::int64_t low,
                                   std::int64_t high) const {
  const bool fits =
      value.is_number_integer() &&
      !(value.is_number_unsigned() && value.get<std::uint64_t>() > std::uint64_t(high)) &&
      value.get<std::int64_t>() >= low && value.get<std::int64_t>() <= high;
  if (!fits) {
    refuse(field, fmt::format("{} is not an integer from {} to {}", shown(value), low, high));
  }
  return value.get<std::int64_t>();
}

std::int64_t ConfigFields::integer(const std::string& field, std::int64_t high,
                                   std::optional<std::int64_t> otherwise) const {
  if (find(field) == nullptr && otherwise) return *otherwise;
  return integer(field, "", high);
}

std::int64_t ConfigFields::integer(const std::string& field, const std::string& other,
                                   std::int64_t high) const {
  const json* a = find(field);
  const json* b = other.empty() ? nullptr : find(other);
  if (a == nullptr && b == nullptr) {
    const std::string names = other.empty() ? "" : fmt::format(" (or '{}')", other);
    refuse(field, fmt::format("is missing{}; an integer from 1 to {} is needed", names, high));
  }
  const std::int64_t first = a ? checked(field, *a, 1, high) : checked(other, *b, 1, high);
  const std::int64_t second = b ? checked(other, *b, 1, high) : first;
  if (first != second) {
    refuse(field, fmt::format("{} contradicts field '{}': {}", first, other, second));
  }
  return first;
}

double ConfigFields::number(const std::string& field, double low, double high,
                            std::optional<double> otherwise) const {
  const json* value = find(field);
  if (value == nullptr && otherwise) return *otherwise;
  const std::string range = fmt::format("a number above {} and at most {}", low, high);
  if (value == nullptr) refuse(field, fmt::format("is missing; {} is needed", range));
  if (!value->is_number() || !(value->get<double>() > low && value->get<double>() <= high)) {
    refuse(field, fmt::format("{} is not {}", shown(*value), range));
  }
  return value->get<double>();
}

bool ConfigFields::boolean(const std::string& field, bool otherwise) const {
  const json* value = find(field);
  if (value == nullptr) return otherwise;
  if (!value->is_boolean()) refuse(field, fmt::format("{} is not true or false", shown(*value)));
  return value->get<bool>();
}

std::string ConfigFields::text(const std::string& field, const std::string& otherwise) const {
  const json* value = find(field);
  if (value == nullptr) return otherwise;
  if (!value->is_string()) refuse(field, fmt::format("{} is not a string", shown(*value)));
  return value->get<std::string>();
}

std::vector<std::int64_t> ConfigFields::tokens(const std::string& field,
                                               std::int64_t vocabulary) const {
  const json* value = find(field);
  if (value == nullptr) return {};
  if (!value->is_array()) return {checked(field, *value, 0, vocabulary - 1)};
  std::vector<std::int64_t> ids;
  for (const json& token : *value) ids.push_back(checked(field, token, 0, vocabulary - 1));
  return ids;
}

ConfigFields ConfigFields::object(const std::string& field) const {
  const json* value = find(field);
  LINGUA_CHECK(value != nullptr, "{}: no field {}", origin_, field);
  if (!value->is_object()) refuse(field, fmt::format("{} is not an object", shown(*value)));
  ConfigFields fields(*value, origin_);
  fields.prefix_ = prefix_ + field + ".";
  return fields;
}

ConfigFields ConfigFields::with_defaults(const json& defaults) const {
  ConfigFields fields = *this;
  for (const auto& [field, value] : defaults.items()) {
    if (find(field) == nullptr) fields.values_[field] = value;
  }
  return fields;
}

void ConfigFields::expect(const std::string& field, const json& only,
                          const std::string& why) const {
  const json* value = find(field);
  if (value == nullptr || *value == only) return;
  refuse(field, fmt::format("{} is not supported; {}", shown(*value), why));
}

std::string ConfigFields::shown(const json& value) {
  std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
  return text.size() <= 80 ? text : text.substr(0, 77) + "...";
}

ConfigFields read_config(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "config.json";
  return {parse_json(read_file(path, kMaxConfigBytes), path.string(), kMaxConfigDepth),
          path.string()};
}

}  // namespace lingua
