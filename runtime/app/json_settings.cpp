#include "runtime/app/json_settings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <type_traits>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"

namespace lingua {
namespace {

using nlohmann::json;

class Collector : public SettingVisitor {
 public:
  void take(Setting setting) override { all.push_back(std::move(setting)); }

  std::vector<Setting> all;
};

std::vector<Setting> all_of(const VisitSettings& visit) {
  Collector collector;
  visit(collector);
  return std::move(collector.all);
}

std::string shown(const json& value) { return one_line(value.dump(), 60); }

[[noreturn]] void refuse(const Setting& setting, const json& value, const std::string& accepted) {
  throw UsageError(
      fmt::format("{}: {} is not accepted; write {}", setting.name, shown(value), accepted));
}

std::string range_text(const Setting& setting) {
  if (setting.range)
    return fmt::format(" from {} to {}", setting.range->first, setting.range->second);
  return setting.is_not_negative ? " from 0 up" : "";
}

bool is_in_range(const Setting& setting, double value) {
  if (setting.is_not_negative && value < 0) return false;
  return !setting.range || (value >= setting.range->first && value <= setting.range->second);
}

void check_problem(const Setting& setting, const std::string& text) {
  const std::string problem = setting.problem ? setting.problem(text) : "";
  if (!problem.empty()) throw UsageError(fmt::format("{}: {}", setting.name, problem));
}

template <class Integer>
void set(const Setting& setting, const json& value, Integer& field) {
  const std::string accepted = "a whole number" + range_text(setting);
  if (!value.is_number_integer()) refuse(setting, value, accepted);
  const bool fits = value.is_number_unsigned() ? std::in_range<Integer>(value.get<std::uint64_t>())
                                               : std::in_range<Integer>(value.get<std::int64_t>());
  if (!fits || !is_in_range(setting, value.get<double>())) refuse(setting, value, accepted);
  check_problem(setting, value.dump());
  field = value.get<Integer>();
}

void set(const Setting& setting, const json& value, double& field) {
  const std::string accepted = "a number" + range_text(setting);
  if (!value.is_number()) refuse(setting, value, accepted);
  const auto number = value.get<double>();
  if (!std::isfinite(number) || !is_in_range(setting, number)) refuse(setting, value, accepted);
  check_problem(setting, value.dump());
  field = number;
}

void set(const Setting& setting, const json& value, bool& field) {
  if (!value.is_boolean()) refuse(setting, value, "true or false");
  field = value;
}

void set(const Setting& setting, const json& value, std::string& field) {
  const std::vector<std::string>& choices = setting.choices;
  const std::string accepted =
      choices.empty() ? "a string" : fmt::format("one of {}", fmt::join(choices, ", "));
  if (!value.is_string()) refuse(setting, value, accepted);
  const auto text = value.get<std::string>();
  if (!choices.empty() && std::find(choices.begin(), choices.end(), text) == choices.end())
    refuse(setting, value, accepted);
  check_problem(setting, text);
  field = text;
}

void set(const Setting& setting, const json& value, std::vector<std::string>& field) {
  std::vector<std::string> texts;
  for (const json& item : value.is_array() ? value : json::array({value})) {
    if (!item.is_string()) refuse(setting, value, "a list of strings");
    texts.push_back(item);
  }
  field = texts;
}

void set(const Setting& setting, const json& value, const Setting::Parser& parse) {
  if (value.is_string()) return parse(value.get<std::string>());
  if (!value.is_number()) refuse(setting, value, "a string or a number");
  parse(value.dump());
}

// How many letters have to be changed, put in or left out.
std::size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i] != b[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

[[noreturn]] void refuse_unknown(const std::string& name, const std::vector<Setting>& settings) {
  std::vector<std::string> all;
  for (const Setting& setting : settings) all.push_back(setting.name);
  const std::vector<std::string> near = names_like(name, all);
  throw UsageError(fmt::format("'{}' is no setting; {} {}", one_line(name, 60),
                               near.empty() ? "there are" : "did you mean",
                               fmt::join(near.empty() ? all : near, ", ")));
}

// By the settings' own names; without those that say nothing.
std::map<std::string, json> named_values(const json& object, const std::vector<Setting>& settings) {
  if (!object.is_object())
    throw UsageError(
        fmt::format("settings are an object as {{\"max-tokens\": 20}}, not {}", shown(object)));
  std::map<std::string, json> values;
  for (const auto& [written, value] : object.items()) {
    std::string name = written;
    std::replace(name.begin(), name.end(), '_', '-');
    const bool is_known = std::any_of(settings.begin(), settings.end(),
                                      [&](const Setting& one) { return one.name == name; });
    if (!is_known) refuse_unknown(name, settings);
    if (value.is_null()) continue;
    if (!values.emplace(name, value).second)
      throw UsageError(fmt::format("{} is given twice; write it once", name));
  }
  return values;
}

void check_relations(const std::vector<Setting>& settings,
                     const std::map<std::string, json>& values) {
  const auto is_given = [&](const std::string& name) {
    const auto place = values.find(name);
    return place != values.end() && place->second != json(false) && place->second != json::array();
  };
  for (const Setting& setting : settings) {
    if (setting.is_required && !is_given(setting.name))
      throw UsageError(fmt::format("{} is required", setting.name));
    if (!is_given(setting.name)) continue;
    for (const std::string& other : setting.excludes) {
      if (is_given(other))
        throw UsageError(
            fmt::format("{} and {} exclude each other; write one of them", setting.name, other));
    }
    if (!setting.needs.empty() && !is_given(setting.needs))
      throw UsageError(fmt::format("{} needs {}; write it too", setting.name, setting.needs));
  }
}

template <class Field>
const char* type_of(const Field&) {
  using Value = std::remove_pointer_t<Field>;
  if constexpr (std::is_same_v<Value, bool>) return "boolean";
  if constexpr (std::is_integral_v<Value>) return "integer";
  if constexpr (std::is_floating_point_v<Value>) return "number";
  if constexpr (std::is_same_v<Value, std::vector<std::string>>) return "list";
  return "string";
}

json default_of(const Setting& setting) {
  if (!setting.shows_default) return nullptr;
  return std::visit(
      [&](const auto& field) -> json {
        if constexpr (std::is_pointer_v<std::decay_t<decltype(field)>>) {
          return *field;
        } else {
          return setting.default_text.empty() ? json() : json(setting.default_text);
        }
      },
      setting.field);
}

json setting_json(const Setting& setting) {
  json entry = {
      {"name", setting.name},
      {"type", std::visit([](const auto& field) { return type_of(field); }, setting.field)},
      {"default", default_of(setting)},
      {"help", setting.help}};
  if (!setting.type.empty()) entry["value"] = setting.type;
  if (setting.range) {
    entry["least"] = setting.range->first;
    entry["most"] = setting.range->second;
  }
  if (setting.is_not_negative) entry["least"] = 0;
  if (!setting.choices.empty()) entry["choices"] = setting.choices;
  if (setting.is_required) entry["required"] = true;
  if (!setting.excludes.empty()) entry["not_with"] = setting.excludes;
  if (!setting.needs.empty()) entry["only_with"] = setting.needs;
  return entry;
}

}  // namespace

std::vector<std::string> names_like(const std::string& name,
                                    const std::vector<std::string>& known) {
  const std::size_t most = std::max<std::size_t>(1, name.size() / 3);  // letters that are wrong
  std::vector<std::string> near;
  for (const std::string& one : known)
    if (distance(name, one) <= most || (!name.empty() && one.starts_with(name)))
      near.push_back(one);
  return near;
}

void set_from_json(const json& object, const VisitSettings& visit) {
  const std::vector<Setting> settings = all_of(visit);
  const std::map<std::string, json> values = named_values(object, settings);
  check_relations(settings, values);
  for (const Setting& setting : settings) {
    const auto place = values.find(setting.name);
    if (place == values.end()) continue;
    std::visit(
        [&](const auto& field) {
          if constexpr (std::is_pointer_v<std::decay_t<decltype(field)>>) {
            set(setting, place->second, *field);
          } else {
            set(setting, place->second, field);
          }
        },
        setting.field);
  }
}

json settings_json(const VisitSettings& visit) {
  json list = json::array();
  for (const Setting& setting : all_of(visit)) list.push_back(setting_json(setting));
  return list;
}

}  // namespace lingua
