#include <fmt/format.h>

#include "runtime/app/study_report.h"

namespace lingua {
namespace {

constexpr double kPlotHeightPt = 150;

Figure boxes(const StudyReport& report) {
  Figure figure;
  figure.kind = FigureKind::kBoxes;
  figure.y.title = "speed-up";
  figure.y.logarithmic = true;
  figure.width_pt = kPageWidthPt;
  figure.plot_height_pt = kPlotHeightPt;
  figure.description = report.study.question;
  figure.series.push_back({"simulated", {}});
  return figure;
}

// A category with a box of all ratios that `has` tells; none where there are none.
template <typename Has>
void add_box(const StudyReport& report, const ComparedPoints& points, const std::string& category,
             const Has& has, Figure& figure) {
  const std::size_t place = figure.x.categories.size();
  bool found = false;
  for (const PointPair& pair : points.pairs) {
    const std::optional<double> ratio = pair.ratio();
    if (!ratio || !has(pair)) continue;
    figure.series[0].points.push_back({static_cast<double>(place), *ratio, {}});
    found = true;
  }
  if (!found) return;
  figure.x.categories.push_back(category);
  if (const auto range = report.study.range())
    figure.published.push_back({place, 0, range->low, range->high});
}

}  // namespace

Figure ratio_figure(const StudyReport& report) {
  Figure figure = boxes(report);
  for (const auto& one : report.compared)
    add_box(
        report, one.points, one.comparison.name, [](const PointPair&) { return true; }, figure);
  return figure;
}

Figure value_figure(const StudyReport& report) {
  Figure figure = boxes(report);
  const StudyReport::Compared& first = report.compared.front();
  figure.title = first.comparison.name;
  for (const auto& [column, values] : first.by) {
    const std::size_t at = first.points.column(column);
    for (const ValueSummary& one : values)
      add_box(
          report, first.points, fmt::format("{} {}", column, value_text(one.value)),
          [&](const PointPair& pair) { return pair.values[at] == one.value; }, figure);
  }
  return figure;
}

}  // namespace lingua
