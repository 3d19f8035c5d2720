#include <algorithm>

#include "runtime/report/figure.h"
#include "runtime/report/statistics.h"

namespace lingua {
namespace {

// The x values that the groups have, as text.
std::vector<std::string> categories_of(const std::vector<PlotGroup>& groups,
                                       const std::vector<ResultValue>& values) {
  std::vector<std::string> names;
  for (const ResultValue& value : values) {
    if (std::any_of(groups.begin(), groups.end(),
                    [&](const PlotGroup& group) { return group.x == value; }))
      names.push_back(value_text(value));
  }
  return names;
}

void add_points(FigureSeries& series, double x, const PlotGroup& group, FigureKind kind) {
  if (kind == FigureKind::kBoxes || kind == FigureKind::kScatter) {
    for (double value : group.values) series.points.push_back({x, value});
    return;
  }
  const Summary summary = summarise(group.values);
  FigurePoint point{x, summary.mean};
  if (summary.half_interval)
    point.interval = {summary.mean - *summary.half_interval, summary.mean + *summary.half_interval};
  series.points.push_back(point);
}

}  // namespace

Figure figure_of(const ResultTable& table, const PlotChoice& choice, FigureKind kind) {
  const std::vector<PlotGroup> groups = plot_groups(table, choice);
  const std::size_t x_column = table.column(choice.x);
  Figure figure;
  figure.kind = kind;
  figure.x.title = column_title(table.columns[x_column]);
  figure.y.title = column_title(table.columns[table.column(choice.y)]);
  const bool numbers = kind != FigureKind::kBars && kind != FigureKind::kBoxes &&
                       std::all_of(groups.begin(), groups.end(), [](const PlotGroup& group) {
                         return std::holds_alternative<double>(group.x);
                       });
  if (!numbers) figure.x.categories = categories_of(groups, distinct_values(table, x_column));
  const std::vector<std::string>& names = figure.x.categories;
  for (const PlotGroup& group : groups) {
    const std::string name = choice.series.empty() ? "" : value_text(group.series);
    auto series = std::find_if(figure.series.begin(), figure.series.end(),
                               [&](const FigureSeries& one) { return one.name == name; });
    if (series == figure.series.end())
      series = figure.series.insert(series, FigureSeries{name, {}});
    const double x =
        numbers ? std::get<double>(group.x)
                : static_cast<double>(std::find(names.begin(), names.end(), value_text(group.x)) -
                                      names.begin());
    add_points(*series, x, group, kind);
  }
  return figure;
}

}  // namespace lingua
