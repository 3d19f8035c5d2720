#pragma once
// A figure for a paper (SVG): lines, bars, points or boxes, with intervals and what others have published.
//
// Units: points (1/72 inch) on paper; values in those of their axis, which its title names: "time (s)".
// Series are told apart by colour (for the colour-blind too) and, in grey, by marker, dash or hatching.
// Texts are in 8 pt. The height follows from the plot's and from what legend and labels need. Texts that have
// no room are broken into lines, turned, or shortened in the middle; none covers another.
// Determinism: the same figure gives the same text. It stands alone: no fonts, scripts or links.
// Source of the colours: Okabe and Ito, Color universal design, 2008.

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/report/result_table.h"

namespace lingua {

inline constexpr double kColumnWidthPt = 240;  // of a page with two columns: 3.33 in
inline constexpr double kPageWidthPt = 504;    // 7 in

enum class FigureKind {
  kLines,    // through the points, in order of x
  kBars,     // in groups, one group for each category
  kScatter,  // points alone
  kBoxes     // one for all points of a series with one category: quartiles, whiskers, outliers
};

struct FigurePoint {
  double x = 0;  // on an axis of categories: the number of one, from 0
  double y = 0;
  std::optional<std::pair<double, double>> interval = {};  // of y, low and high
};

struct FigureSeries {
  std::string name = {};
  std::vector<FigurePoint> points = {};
};

struct FigureAxis {
  std::string title = {};  // with its unit
  bool logarithmic = false;
  std::vector<std::string> categories = {};  // of x: in place of numbers
  // Where it ends, if not where the values do.
  std::optional<double> from = {};
  std::optional<double> to = {};
};

// What another source says of the bars, points or boxes of a series at one category.
struct PublishedRange {
  std::size_t category = 0;
  std::size_t series = 0;
  double low = 0;
  double high = 0;
};

struct Figure {
  FigureKind kind = FigureKind::kLines;
  std::string title = {};  // none where a caption will say it
  FigureAxis x = {};
  FigureAxis y = {};
  std::vector<FigureSeries> series = {};
  std::vector<PublishedRange> published = {};
  std::string published_name = "published";
  double width_pt = kColumnWidthPt;
  double plot_height_pt = 120;
  bool bands = false;     // intervals of lines as bands, not bars
  bool diagonal = false;  // the line y = x and equal axes: to compare two measures of one thing
  std::string description = {};  // for those who do not see it
};

// Errors: InputError where there is no point, a value is not finite or a logarithmic axis has one that is not
// positive, bars and boxes lack categories, or a category or series is not there.
std::string figure_svg(const Figure& figure);

// Means with 95 % intervals over what differs in seeds only; for boxes every value; for scatter every value
// over its x. An x that is not a number on every row, and that of bars and boxes, becomes categories.
// Errors: those of plot_groups.
Figure figure_of(const ResultTable& table, const PlotChoice& choice, FigureKind kind);

// Writes an SVG as a PDF of the same size by rsvg-convert (Debian: librsvg2-bin). Returns what stood in the
// way in one line: it is not installed, or what it said. Empty: done.
std::string write_pdf(const std::filesystem::path& svg, const std::filesystem::path& pdf);

}  // namespace lingua
