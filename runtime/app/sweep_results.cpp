#include "runtime/app/sweep_results.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"
#include "runtime/sweep/spec.h"
#include "runtime/sweep/store.h"

namespace lingua {
namespace {

using nlohmann::json;

// Before others, for these are asked for most.
constexpr std::array kFirstResults = {"tokens_per_s", "makespan_s"};

std::string unit_of(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, const char*>, 9> kEnds = {
      {{"tokens_per_s", "tokens/s"},
       {"requests_per_s", "requests/s"},
       {"bytes_per_s", "B/s"},
       {"tokens_per_j", "tokens/J"},
       {"_bytes", "B"},
       {"_s", "s"},
       {"_j", "J"},
       {"_h", "h"},
       {"_w", "W"}}};
  for (const auto& [end, unit] : kEnds)
    if (name.ends_with(end)) return unit;
  return "";
}

bool is_seed(const std::string& setting) { return setting == "seed" || setting.ends_with("-seed"); }

// The settings that axes set, in their order.
std::vector<std::string> settings_of_axes(const SweepSpec& spec) {
  std::vector<std::string> names;
  const auto add = [&](const std::string& name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  };
  for (const SweepAxis& axis : spec.axes) {
    for (const SweepAxis::Piece& piece : axis.pieces()) {
      const auto* settings = std::get_if<json>(&piece);
      if (settings == nullptr) {
        add(axis.name());
        continue;
      }
      for (const auto& [name, value] : settings->items()) add(name);
    }
  }
  return names;
}

struct ParsedRow {
  std::int64_t number = 0;
  json axes;
  json results;
  std::string reason;
  bool done = false;
};

json parsed(const std::string& text, std::int64_t number, const std::filesystem::path& database) {
  json value = json::parse(text, nullptr, false);
  if (value.is_object()) return value;
  throw InputError(fmt::format("{}: the row of point {} is damaged", database.string(), number));
}

// Those that some row has, in the order of first rows; what every row says alike tells nothing.
std::vector<std::string> names_of_results(const std::vector<ParsedRow>& rows) {
  std::vector<std::string> names(kFirstResults.begin(), kFirstResults.end());
  std::set<std::string> seen(names.begin(), names.end());
  std::map<std::string, std::set<std::string>> texts;
  std::set<std::string> there;
  for (const ParsedRow& row : rows) {
    for (const auto& [name, value] : row.results.items()) {
      there.insert(name);
      if (!value.is_number()) texts[name].insert(value.dump());
      if (seen.insert(name).second) names.push_back(name);
    }
  }
  const auto says_nothing = [&](const std::string& name) {
    const auto text = texts.find(name);
    return there.count(name) == 0 || name == "digest" ||
           (text != texts.end() && text->second.size() == 1 && rows.size() > 1);
  };
  names.erase(std::remove_if(names.begin(), names.end(), says_nothing), names.end());
  return names;
}

ResultRow row_of(const ParsedRow& parsed, const std::vector<std::string>& axes,
                 const std::vector<std::string>& results) {
  ResultRow row;
  row.id = parsed.number;
  row.state = parsed.done ? kDone : "failed";
  row.reason = parsed.reason;
  for (const std::string& name : axes)
    row.values.push_back(result_value_of(parsed.axes.value(name, json())));
  for (const std::string& name : results)
    row.values.push_back(result_value_of(parsed.results.value(name, json())));
  return row;
}

}  // namespace

ResultValue result_value_of(const json& value) {
  if (value.is_null()) return {};
  if (value.is_number()) return value.get<double>();
  if (value.is_string()) return value.get<std::string>();
  return value.dump();
}

ResultTable results_of_sweep(const std::filesystem::path& database) {
  const SweepStore store = SweepStore::read(database);
  const SweepFacts& facts = store.facts();
  std::vector<ParsedRow> rows;
  store.for_each([&](const SweepRow& row) {
    rows.push_back({row.number, parsed(row.axes, row.number, database),
                    parsed(row.results.empty() ? "{}" : row.results, row.number, database),
                    row.reason, row.done});
  });
  const std::vector<std::string> axes =
      settings_of_axes(parse_sweep(facts.spec, database.string()));
  const std::vector<std::string> results = names_of_results(rows);
  ResultTable table;
  table.title = facts.name;
  table.reproduction = {facts.version, facts.spec, database.string()};
  for (const std::string& name : axes)
    table.columns.push_back({name, "", is_seed(name) ? ColumnKind::kSeed : ColumnKind::kAxis});
  for (const std::string& name : results)
    table.columns.push_back({name, unit_of(name), ColumnKind::kResult});
  for (const ParsedRow& row : rows) table.rows.push_back(row_of(row, axes, results));
  return table;
}

}  // namespace lingua
