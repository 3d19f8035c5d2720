#include "runtime/report/figure_legend.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "runtime/report/figure_axes.h"
#include "runtime/report/figure_style.h"
#include "runtime/report/text_width.h"

namespace lingua {
namespace {

constexpr double kEdge = 3;
constexpr double kGap = 4;       // from a swatch to its name
constexpr double kBetween = 10;  // from an entry to the next

double swatch_width(const Figure& figure) {
  return figure.kind == FigureKind::kLines ? 20 : figure.kind == FigureKind::kScatter ? 8 : 16;
}

void line_swatch(Svg& svg, double x, double y, const SeriesStyle& style, bool band) {
  constexpr double kSwatch = 20;
  if (band)
    svg.path(fmt::format("M{:.2f} {:.2f}h{s}v6h-{s}z", x, y - 3, fmt::arg("s", kSwatch)),
             fmt::format("fill=\"{}\" fill-opacity=\"0.2\"", style.colour));
  svg.path(
      fmt::format("M{:.2f} {:.2f}h{}", x, y, kSwatch),
      fmt::format("stroke=\"{}\" stroke-width=\"1.1\"{}", style.colour,
                  style.dash.empty() ? "" : fmt::format(" stroke-dasharray=\"{}\"", style.dash)));
  draw_marker(svg, {x + kSwatch / 2, y}, 2, style);
}

void draw_swatch(Svg& svg, const Figure& figure, std::size_t entry, double x, double y) {
  const double width = swatch_width(figure);
  if (entry == figure.series.size()) {
    draw_published(svg, {x, y - 3, x + width, y + 3});
    return;
  }
  const SeriesStyle style = series_style(entry);
  switch (figure.kind) {
    case FigureKind::kLines: line_swatch(svg, x, y, style, figure.bands); break;
    case FigureKind::kScatter: draw_marker(svg, {x + width / 2, y}, 2, style); break;
    case FigureKind::kBars:
    case FigureKind::kBoxes: draw_bar(svg, {x, y - 3.5, x + width, y + 3.5}, style); break;
  }
}

struct LegendLines {
  std::vector<std::vector<std::size_t>> entries;
  double column = 0;  // its width; 0: each entry follows the one before it
  double indent = 0;
};

// One line in the middle, else columns where three or more have room, else as many in each line as fit.
LegendLines legend_lines(const std::vector<double>& widths, double room) {
  LegendLines layout;
  double all = -kBetween;
  for (double width : widths) all += width + kBetween;
  const double widest_entry = *std::max_element(widths.begin(), widths.end());
  const auto columns = static_cast<std::size_t>((room + kBetween) / (widest_entry + kBetween));
  if (all <= room) {
    layout.indent = (room - all) / 2;
  } else if (columns >= 3) {
    layout.column = widest_entry + kBetween;
    layout.indent = (room + kBetween - layout.column * static_cast<double>(columns)) / 2;
  }
  double left = 0;
  for (std::size_t i = 0; i < widths.size(); ++i) {
    const bool full = layout.column > 0 ? i % columns == 0 : left < widths[i];
    if (i == 0 || (full && all > room)) {
      layout.entries.emplace_back();
      left = room;
    }
    layout.entries.back().push_back(i);
    left -= widths[i] + kBetween;
  }
  return layout;
}

std::vector<std::string> entry_names(const Figure& figure) {
  std::vector<std::string> names;
  for (const FigureSeries& one : figure.series) names.push_back(one.name);
  if (!figure.published.empty()) names.push_back(figure.published_name);
  if (names.size() == 1 && names[0].empty()) names.clear();
  return names;
}

}  // namespace

double draw_legend(Svg& svg, const Figure& figure, double top) {
  const std::vector<std::string> names = entry_names(figure);
  if (names.empty()) return top;
  const double room = figure.width_pt - 2 * kEdge;
  const double before = swatch_width(figure) + kGap;  // the name
  std::vector<std::vector<std::string>> lines;        // of each name
  std::vector<double> widths;                         // of each entry
  for (const std::string& name : names) {
    lines.push_back(wrapped(name, room - before, kFigureFont));
    widths.push_back(before);
    for (const std::string& line : lines.back())
      widths.back() = std::max(widths.back(), before + text_width(line, kFigureFont));
  }
  const LegendLines layout = legend_lines(widths, room);
  double y = top;
  for (const std::vector<std::size_t>& entries : layout.entries) {
    double x = kEdge + layout.indent;
    std::size_t most = 1;
    for (std::size_t i : entries) {
      draw_swatch(svg, figure, i, x, y + kFigureLine / 2);
      for (std::size_t l = 0; l < lines[i].size(); ++l)
        svg.text(x + before, y + kFigureFont - 0.5 + kFigureLine * static_cast<double>(l),
                 lines[i][l]);
      most = std::max(most, lines[i].size());
      x += layout.column > 0 ? layout.column : widths[i] + kBetween;
    }
    y += kFigureLine * static_cast<double>(most) + 1;
  }
  return y;
}

}  // namespace lingua
