#include "runtime/report/result_table.h"

#include <fmt/format.h>

#include <cmath>
#include <map>
#include <set>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"

namespace lingua {
namespace {

// A name that a shell takes as one word as it stands.
bool is_held(const ResultTable& table, const PlotChoice& choice, const ResultRow& row) {
  for (const auto& [name, value] : choice.held)
    if (row.values[table.column(name)] != value) return false;
  return true;
}

// The axes in which rows of one group must agree.
std::vector<std::size_t> fixed_axes(const ResultTable& table, const PlotChoice& choice) {
  std::vector<std::size_t> axes;
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    const ResultColumn& column = table.columns[c];
    if (column.kind == ColumnKind::kAxis && column.name != choice.x && column.name != choice.series)
      axes.push_back(c);
  }
  return axes;
}

void check_agree(const ResultTable& table, const std::vector<std::size_t>& axes,
                 const ResultRow& first, const ResultRow& row) {
  for (std::size_t c : axes) {
    if (first.values[c] == row.values[c]) continue;
    throw InputError(fmt::format(
        "rows {} and {} would be averaged but differ in '{}' ({} and {}): hold it at one value, or "
        "make it the x axis or the series",
        first.id, row.id, table.columns[c].name, value_text(first.values[c]),
        value_text(row.values[c])));
  }
}

// Such a value is not even equal to itself: no map finds it.
bool is_nan(const ResultValue& value) {
  const auto* number = std::get_if<double>(&value);
  return number != nullptr && std::isnan(*number);
}

struct Found {
  PlotGroup group;
  const ResultRow* first = nullptr;
};

std::map<ResultValue, std::size_t> order_of(const std::vector<ResultValue>& values) {
  std::map<ResultValue, std::size_t> order;
  for (std::size_t i = 0; i < values.size(); ++i) order.emplace(values[i], i);
  return order;
}

}  // namespace

std::size_t ResultTable::column(const std::string& name) const {
  std::string known;
  for (std::size_t c = 0; c < columns.size(); ++c) {
    if (columns[c].name == name) return c;
    known += (known.empty() ? "" : ", ") + columns[c].name;
  }
  throw InputError(fmt::format("no column '{}' in '{}'; it has: {}", name, title, known));
}

std::string column_title(const ResultColumn& column) {
  return column.unit.empty() ? column.name : fmt::format("{} ({})", column.name, column.unit);
}

std::string value_text(const ResultValue& value) {
  if (const auto* number = std::get_if<double>(&value)) return fmt::format("{:.6g}", *number);
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  return "-";
}

std::string rerun_command(const Reproduction& reproduction, std::int64_t id) {
  const std::string& name = reproduction.database;
  return fmt::format("lingua rerun {} {}", shell_word(name.starts_with('-') ? "./" + name : name),
                     id);
}

std::vector<ResultValue> distinct_values(const ResultTable& table, std::size_t column) {
  std::set<double> numbers;
  std::vector<ResultValue> texts;
  std::set<std::string> seen;
  bool nothing = false;
  for (const ResultRow& row : table.rows) {
    const ResultValue& value = row.values[column];
    if (const auto* number = std::get_if<double>(&value)) {
      if (!is_nan(value)) numbers.insert(*number);
    } else if (const auto* text = std::get_if<std::string>(&value)) {
      if (seen.insert(*text).second) texts.push_back(value);
    } else {
      nothing = true;
    }
  }
  std::vector<ResultValue> all(numbers.begin(), numbers.end());
  all.insert(all.end(), texts.begin(), texts.end());
  if (nothing) all.emplace_back();
  return all;
}

std::vector<PlotGroup> plot_groups(const ResultTable& table, const PlotChoice& choice) {
  const std::size_t x = table.column(choice.x);
  const std::size_t y = table.column(choice.y);
  const bool split = !choice.series.empty();
  const std::size_t series = split ? table.column(choice.series) : 0;
  const std::map<ResultValue, std::size_t> x_order = order_of(distinct_values(table, x));
  const std::map<ResultValue, std::size_t> series_order =
      split ? order_of(distinct_values(table, series)) : order_of({ResultValue()});
  const std::vector<std::size_t> axes = fixed_axes(table, choice);
  std::map<std::pair<std::size_t, std::size_t>, Found> groups;
  for (const ResultRow& row : table.rows) {
    if (!row.done() || !is_held(table, choice, row)) continue;
    const auto* value = std::get_if<double>(&row.values[y]);
    if (is_nan(row.values[x]) || (split && is_nan(row.values[series]))) continue;
    const auto at = x_order.find(row.values[x]);
    const auto of = series_order.find(split ? row.values[series] : ResultValue());
    if (value == nullptr || !std::isfinite(*value) || at == x_order.end() ||
        of == series_order.end() || std::holds_alternative<std::monostate>(at->first))
      continue;
    Found& found = groups[{of->second, at->second}];
    if (found.first == nullptr) {
      found.first = &row;
      found.group.x = at->first;
      found.group.series = of->first;
    }
    check_agree(table, axes, *found.first, row);
    found.group.values.push_back(*value);
    found.group.rows.push_back(row.id);
  }
  std::vector<PlotGroup> result;
  for (auto& [key, found] : groups) result.push_back(std::move(found.group));
  return result;
}

}  // namespace lingua
