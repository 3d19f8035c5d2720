#include "runtime/app/study_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"
#include "runtime/report/text_table.h"

namespace lingua {
namespace {

using nlohmann::json;
using Cells = std::vector<std::string>;

constexpr std::size_t kMostReason = 160;
constexpr std::size_t kMostFailures = 3;
// Of what every point has; a column that only one value of is left is none to tell apart by.
constexpr std::size_t kFewestValues = 2;

const Cells kSummaryTitles = {"pairs", "failed", "least", "median", "most", "mean", "within"};

Cells summary_cells(const RatioSummary& summary, bool has_range,
                    const std::optional<RatioGrowth>& growth = {}) {
  Cells cells = {fmt::format("{}", summary.pairs), fmt::format("{}", summary.failed())};
  const bool has_ratios = summary.pairs > 0;
  for (const double ratio : {summary.least, summary.median, summary.most, summary.geometric_mean})
    cells.push_back(has_ratios ? fmt::format("{:.2f}", ratio) : "-");
  const auto share = [](std::size_t part, std::size_t whole) {
    return whole == 0 ? "-" : fmt::format("{} of {}", part, whole);
  };
  if (growth) {
    cells.push_back(share(growth->grown, growth->steps));
  } else {
    cells.push_back(has_range ? share(summary.within, summary.pairs) : "-");
  }
  return cells;
}

std::string published_text(const ComparedStudy& study) {
  if (!study.published) return "-";
  if (const auto& range = study.published->range)
    return fmt::format("{:.2f} to {:.2f}", range->low, range->high);
  return "grows with " + study.published->grows_with;
}

Cells joined(Cells first, const Cells& rest) {
  first.insert(first.end(), rest.begin(), rest.end());
  return first;
}

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

std::string csv_line(const Cells& cells) {
  std::string line;
  for (const std::string& cell : cells) line += (line.empty() ? "" : ",") + csv_cell(cell);
  return line + "\n";
}

std::string number_cell(const std::optional<double>& number) {
  return number ? fmt::format("{:.6g}", *number) : "";
}

Cells summary_numbers(const RatioSummary& summary, bool has_range) {
  Cells cells;
  for (const std::size_t count :
       {summary.pairs, summary.of_failed, summary.over_failed, summary.both_failed})
    cells.push_back(fmt::format("{}", count));
  for (const double ratio : {summary.least, summary.median, summary.most, summary.geometric_mean})
    cells.push_back(summary.pairs > 0 ? fmt::format("{:.6g}", ratio) : "");
  cells.push_back(has_range ? fmt::format("{}", summary.within) : "");
  return cells;
}

json summary_json(const RatioSummary& summary, bool has_range) {
  json value = {{"pairs", summary.pairs},
                {"of_failed", summary.of_failed},
                {"over_failed", summary.over_failed},
                {"both_failed", summary.both_failed}};
  if (summary.pairs > 0) {
    value["least"] = summary.least;
    value["median"] = summary.median;
    value["most"] = summary.most;
    value["geometric_mean"] = summary.geometric_mean;
  }
  if (has_range) value["within"] = summary.within;
  return value;
}

// "infeasible: planner 'even' gives ..." of many points: those with the same first words are one kind, for the
// numbers and names in a reason differ.
std::string kind_of_reason(const std::string& reason) {
  const std::string line = one_line(reason, kMostReason);
  std::string kind;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const bool is_digit = line[i] >= '0' && line[i] <= '9';
    if (!is_digit) {
      kind += line[i];
    } else if (!kind.ends_with('N')) {
      kind += 'N';
    }
  }
  return kind;
}

std::vector<std::pair<std::string, std::size_t>> failures_of(const ResultTable& table) {
  std::map<std::string, std::pair<std::string, std::size_t>>
      kinds;  // its first reason, and how often
  for (const ResultRow& row : table.rows) {
    if (row.done()) continue;
    auto& [first, count] = kinds[kind_of_reason(row.reason)];
    if (count++ == 0) first = one_line(row.reason, kMostReason);
  }
  std::vector<std::pair<std::string, std::size_t>> failures;
  for (const auto& [kind, one] : kinds) failures.push_back(one);
  std::stable_sort(failures.begin(), failures.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  return failures;
}

StudyReport::Compared compared_of(const ComparedStudy& study, const Comparison& comparison,
                                  const ResultTable& table) {
  StudyReport::Compared compared;
  compared.comparison = comparison;
  compared.points = compare_points(table, comparison, study.result);
  for (const ColumnGroups& groups : study.groups) add_groups(groups, compared.points);
  compared.summary = summarise_ratios(compared.points.pairs, study.range());
  const auto& columns = compared.points.columns;
  const auto has = [&](const std::string& name) {
    return std::find(columns.begin(), columns.end(), name) != columns.end();
  };
  if (study.published && has(study.published->grows_with))
    compared.growth = growth_along(compared.points, study.published->grows_with);
  for (const std::string& column : study.by) {
    if (!has(column)) continue;
    auto values = summaries_by(compared.points, column, study.range());
    if (values.size() >= kFewestValues) compared.by.emplace_back(column, std::move(values));
  }
  return compared;
}

void check_columns(const ComparedStudy& study, const ResultTable& table) {
  for (const std::string& column : study.by) {
    const bool is_group = std::any_of(study.groups.begin(), study.groups.end(),
                                      [&](const auto& one) { return one.name == column; });
    if (!is_group) table.column(column);
  }
  for (const ColumnGroups& groups : study.groups) table.column(groups.of);
  if (study.published && !study.published->grows_with.empty())
    table.column(study.published->grows_with);
}

}  // namespace

StudyReport report_study(const ComparedStudy& study, const ResultTable& table, bool is_part) {
  StudyReport report;
  report.study = study;
  report.points = table.rows.size();
  report.failures = failures_of(table);
  try {
    if (!is_part) check_columns(study, table);
    for (const Comparison& comparison : study.comparisons)
      if (!is_part || has_sides(table, comparison))
        report.compared.push_back(compared_of(study, comparison, table));
    if (report.compared.empty()) throw InputError("no comparison has both sides in the sweep");
  } catch (const InputError& error) {
    throw InputError(fmt::format("{}: {}", study.name, error.what()));
  }
  return report;
}

std::string overall_text(const std::vector<StudyReport>& reports) {
  std::vector<Cells> rows = {joined({"study", "comparison", "of", "published"}, kSummaryTitles)};
  for (const StudyReport& report : reports) {
    for (const StudyReport::Compared& one : report.compared) {
      rows.push_back(
          joined({report.study.name, one.comparison.name, one.comparison.arm,
                  published_text(report.study)},
                 summary_cells(one.summary, report.study.range().has_value(), one.growth)));
    }
  }
  // The first column of a table alone stands to the left, so the second goes in with it.
  std::size_t width = 0;
  for (const Cells& row : rows) width = std::max(width, row[0].size());
  for (Cells& row : rows) {
    row[0] = fmt::format("{:<{}}  {}", row[0], width, row[1]);
    row.erase(row.begin() + 1);
  }
  return text_table(rows);
}

std::string study_text(const StudyReport& report) {
  const ComparedStudy& study = report.study;
  std::string text = fmt::format("{}: {}\n", study.name, study.question);
  if (study.published)
    text += fmt::format("published: {}, {} ({})\n", published_text(study), study.published->what,
                        study.published->source);
  std::size_t failed = 0;
  for (const auto& [reason, count] : report.failures) failed += count;
  text += fmt::format("{} points, {} failed\n", report.points, failed);
  for (std::size_t i = 0; i < std::min(kMostFailures, report.failures.size()); ++i)
    text += fmt::format("  {} as: {}\n", report.failures[i].second, report.failures[i].first);
  const bool has_range = study.range().has_value();
  std::vector<Cells> rows = {joined({"comparison", "of"}, kSummaryTitles)};
  for (const auto& one : report.compared)
    rows.push_back(joined({one.comparison.name, one.comparison.arm},
                          summary_cells(one.summary, has_range, one.growth)));
  text += "\n" + text_table(rows);
  for (const auto& one : report.compared) {
    if (one.by.empty()) continue;
    rows = {joined({one.comparison.name}, kSummaryTitles)};
    for (const auto& [column, values] : one.by)
      for (const ValueSummary& value : values)
        rows.push_back(joined({fmt::format("  {}: {}", column, value_text(value.value))},
                              summary_cells(value.summary, has_range)));
    text += "\n" + text_table(rows);
  }
  return text;
}

std::string study_csv(const StudyReport& report) {
  const bool has_range = report.study.range().has_value();
  std::string text =
      csv_line({"comparison", "arm", "column", "value", "pairs", "of_failed", "over_failed",
                "both_failed", "least", "median", "most", "geometric_mean", "within"});
  for (const auto& one : report.compared) {
    const Cells names = {one.comparison.name, one.comparison.arm};
    text += csv_line(joined(joined(names, {"", ""}), summary_numbers(one.summary, has_range)));
    for (const auto& [column, values] : one.by)
      for (const ValueSummary& value : values)
        text += csv_line(joined(joined(names, {column, value_text(value.value)}),
                                summary_numbers(value.summary, has_range)));
  }
  return text;
}

std::string pairs_csv(const StudyReport& report) {
  Cells columns;
  for (const auto& one : report.compared)
    for (const std::string& column : one.points.columns)
      if (std::find(columns.begin(), columns.end(), column) == columns.end())
        columns.push_back(column);
  std::string text = csv_line(joined(joined({"comparison"}, columns), {"of", "over", "ratio"}));
  for (const auto& one : report.compared) {
    for (const PointPair& pair : one.points.pairs) {
      Cells cells = {one.comparison.name};
      for (const std::string& column : columns) {
        const auto& own = one.points.columns;
        const auto at = std::find(own.begin(), own.end(), column);
        const auto place = static_cast<std::size_t>(at - own.begin());
        cells.push_back(at == own.end() ? "" : value_text(pair.values[place]));
      }
      for (const auto& number : {pair.of, pair.over, pair.ratio()})
        cells.push_back(number_cell(number));
      text += csv_line(cells);
    }
  }
  return text;
}

json study_json(const StudyReport& report) {
  const ComparedStudy& study = report.study;
  json value = {{"study", study.name},
                {"question", study.question},
                {"points", report.points},
                {"failures", json::array()},
                {"comparisons", json::array()}};
  for (const auto& [reason, count] : report.failures)
    value["failures"].push_back({{"reason", reason}, {"count", count}});
  if (study.published) {
    value["published"] = {{"what", study.published->what}, {"source", study.published->source}};
    if (const auto& range = study.published->range)
      value["published"]["range"] = {range->low, range->high};
    else
      value["published"]["grows_with"] = study.published->grows_with;
  }
  const bool has_range = study.range().has_value();
  for (const auto& one : report.compared) {
    json compared = summary_json(one.summary, has_range);
    compared["name"] = one.comparison.name;
    compared["arm"] = one.comparison.arm;
    if (one.growth)
      compared["growth"] = {{"steps", one.growth->steps}, {"grown", one.growth->grown}};
    for (const auto& [column, values] : one.by) {
      for (const ValueSummary& each : values) {
        json of_value = summary_json(each.summary, has_range);
        of_value["value"] = value_text(each.value);
        compared["by"][column].push_back(of_value);
      }
    }
    value["comparisons"].push_back(compared);
  }
  return value;
}

}  // namespace lingua
