#include "runtime/app/compared_points.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fnmatch.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "runtime/base/errors.h"
#include "runtime/report/statistics.h"

namespace lingua {
namespace {

using Key = std::vector<ResultValue>;

struct Side {
  std::vector<std::pair<std::size_t, ResultValue>> held;  // column, value

  bool has(const ResultRow& row) const {
    return std::all_of(held.begin(), held.end(),
                       [&](const auto& one) { return row.values[one.first] == one.second; });
  }
};

Side side_of(const ResultTable& table, const ColumnValues& values, const std::string& name) {
  Side side;
  for (const auto& [column_name, value] : values) {
    const std::size_t column = table.column(column_name);
    const std::vector<ResultValue> known = distinct_values(table, column);
    if (std::find(known.begin(), known.end(), value) == known.end()) {
      std::vector<std::string> texts;
      for (const ResultValue& one : known) texts.push_back(value_text(one));
      throw InputError(fmt::format("comparison '{}': {} has no value '{}'; it has {}", name,
                                   column_name, value_text(value), fmt::join(texts, ", ")));
    }
    side.held.emplace_back(column, value);
  }
  return side;
}

bool has_rows(const ResultTable& table, const ColumnValues& values) {
  Side side;
  for (const auto& [name, value] : values) side.held.emplace_back(table.column(name), value);
  return std::any_of(table.rows.begin(), table.rows.end(),
                     [&](const ResultRow& row) { return side.has(row); });
}

std::vector<std::size_t> matched_columns(const ResultTable& table, const Side& side) {
  std::vector<std::size_t> matched;
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    const bool is_held = std::any_of(side.held.begin(), side.held.end(),
                                     [&](const auto& one) { return one.first == c; });
    if (table.columns[c].kind != ColumnKind::kResult && !is_held) matched.push_back(c);
  }
  return matched;
}

Key key_of(const ResultRow& row, const std::vector<std::size_t>& columns) {
  Key key;
  for (const std::size_t column : columns) key.push_back(row.values[column]);
  return key;
}

std::optional<double> result_of(const ResultRow& row, std::size_t column) {
  const auto* number = std::get_if<double>(&row.values[column]);
  if (!row.done() || number == nullptr || !std::isfinite(*number) || *number <= 0) return {};
  return *number;
}

std::vector<ResultValue> values_of(const ComparedPoints& points, std::size_t column) {
  std::vector<ResultValue> values;
  for (const PointPair& pair : points.pairs) {
    const ResultValue& value = pair.values[column];
    if (std::find(values.begin(), values.end(), value) == values.end()) values.push_back(value);
  }
  return values;
}

}  // namespace

std::optional<double> PointPair::ratio() const {
  if (!of || !over) return {};
  return *of / *over;
}

std::size_t ComparedPoints::column(const std::string& name) const {
  const auto found = std::find(columns.begin(), columns.end(), name);
  if (found != columns.end()) return static_cast<std::size_t>(found - columns.begin());
  throw InputError(
      fmt::format("no column '{}' is in pairs; there are {}", name, fmt::join(columns, ", ")));
}

bool has_sides(const ResultTable& table, const Comparison& comparison) {
  return has_rows(table, comparison.of) && has_rows(table, comparison.over);
}

ComparedPoints compare_points(const ResultTable& table, const Comparison& comparison,
                              const std::string& result) {
  const Side of = side_of(table, comparison.of, comparison.name);
  const Side over = side_of(table, comparison.over, comparison.name);
  const std::vector<std::size_t> matched = matched_columns(table, of);
  const std::size_t column = table.column(result);
  std::map<Key, const ResultRow*> partners;
  for (const ResultRow& row : table.rows)
    if (over.has(row)) partners.emplace(key_of(row, matched), &row);
  ComparedPoints points;
  for (const std::size_t one : matched) points.columns.push_back(table.columns[one].name);
  for (const ResultRow& row : table.rows) {
    if (!of.has(row)) continue;
    Key key = key_of(row, matched);
    const auto partner = partners.find(key);
    if (partner == partners.end()) continue;
    points.pairs.push_back(
        {std::move(key), result_of(row, column), result_of(*partner->second, column)});
  }
  if (points.pairs.empty()) {
    throw InputError(
        fmt::format("comparison '{}': no two points differ in its columns alone; those that must "
                    "be equal are {}",
                    comparison.name, fmt::join(points.columns, ", ")));
  }
  return points;
}

void add_groups(const ColumnGroups& groups, ComparedPoints& points) {
  const auto found = std::find(points.columns.begin(), points.columns.end(), groups.of);
  if (found == points.columns.end()) return;
  const auto column = static_cast<std::size_t>(found - points.columns.begin());
  points.columns.push_back(groups.name);
  for (PointPair& pair : points.pairs) {
    const std::string text = value_text(pair.values[column]);
    const auto kind = std::find_if(groups.kinds.begin(), groups.kinds.end(), [&](const auto& one) {
      return fnmatch(one.second.c_str(), text.c_str(), 0) == 0;
    });
    if (kind == groups.kinds.end()) {
      throw InputError(fmt::format("groups.{}: no kind matches '{}' of {}; add one", groups.name,
                                   text, groups.of));
    }
    pair.values.emplace_back(kind->first);
  }
}

RatioSummary summarise_ratios(const std::vector<PointPair>& pairs,
                              const std::optional<RatioRange>& range) {
  RatioSummary summary;
  std::vector<double> ratios;
  double logarithms = 0;
  for (const PointPair& pair : pairs) {
    if (!pair.of && !pair.over) ++summary.both_failed;
    if (!pair.of && pair.over) ++summary.of_failed;
    if (pair.of && !pair.over) ++summary.over_failed;
    const std::optional<double> ratio = pair.ratio();
    if (!ratio) continue;
    ratios.push_back(*ratio);
    logarithms += std::log(*ratio);
    if (range && range->has(*ratio)) ++summary.within;
  }
  summary.pairs = ratios.size();
  if (ratios.empty()) return summary;
  std::sort(ratios.begin(), ratios.end());
  summary.least = ratios.front();
  summary.most = ratios.back();
  summary.median = quantile_of_sorted(ratios, 0.5);
  summary.geometric_mean = std::exp(logarithms / static_cast<double>(ratios.size()));
  return summary;
}

std::vector<ValueSummary> summaries_by(const ComparedPoints& points, const std::string& column,
                                       const std::optional<RatioRange>& range) {
  const std::size_t at = points.column(column);
  std::vector<ValueSummary> all;
  for (const ResultValue& value : values_of(points, at)) {
    std::vector<PointPair> chosen;
    for (const PointPair& pair : points.pairs)
      if (pair.values[at] == value) chosen.push_back(pair);
    all.push_back({value, summarise_ratios(chosen, range)});
  }
  return all;
}

RatioGrowth growth_along(const ComparedPoints& points, const std::string& column) {
  const std::size_t at = points.column(column);
  const std::vector<ResultValue> values = values_of(points, at);
  std::map<Key, std::vector<std::optional<double>>> lines;  // by all else, of each value
  for (const PointPair& pair : points.pairs) {
    Key key = pair.values;
    key[at] = {};
    auto& line = lines.try_emplace(std::move(key), values.size()).first->second;
    const auto place = std::find(values.begin(), values.end(), pair.values[at]) - values.begin();
    line[static_cast<std::size_t>(place)] = pair.ratio();
  }
  RatioGrowth growth;
  for (const auto& [key, line] : lines) {
    for (std::size_t i = 0; i + 1 < line.size(); ++i) {
      if (!line[i] || !line[i + 1]) continue;
      ++growth.steps;
      if (*line[i + 1] > *line[i]) ++growth.grown;
    }
  }
  return growth;
}

}  // namespace lingua
