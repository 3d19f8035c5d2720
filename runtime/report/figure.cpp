#include "runtime/report/figure.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <tuple>

#include "runtime/base/errors.h"
#include "runtime/report/figure_axes.h"
#include "runtime/report/figure_legend.h"
#include "runtime/report/figure_style.h"
#include "runtime/report/statistics.h"
#include "runtime/report/text_width.h"

namespace lingua {
namespace {

constexpr double kEdge = 3;  // of the paper
constexpr double kHalo = 2;

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  void add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

void check_value(const std::string& series, const FigureAxis& axis, double value) {
  if (!std::isfinite(value))
    throw InputError(fmt::format("figure: series '{}' has a value that is not finite", series));
  if (axis.logarithmic && value <= 0)
    throw InputError(fmt::format(
        "figure: series '{}' has {} on the logarithmic axis '{}', which shows positive values",
        series, value, axis.title));
}

void check_x(const Figure& figure, const FigureSeries& one, double x) {
  const auto count = static_cast<double>(figure.x.categories.size());
  if (count == 0) {
    check_value(one.name, figure.x, x);
  } else if (!(x >= 0 && x < count && x == std::floor(x))) {
    throw InputError(fmt::format("figure: series '{}' has category {} of {}", one.name, x, count));
  }
}

void check(const Figure& figure) {
  bool any = false;
  for (const FigureSeries& one : figure.series) {
    for (const FigurePoint& point : one.points) {
      any = true;
      check_value(one.name, figure.y, point.y);
      check_x(figure, one, point.x);
    }
  }
  if (!any) throw InputError(fmt::format("figure: nothing to draw of '{}'", figure.y.title));
  const bool grouped = figure.kind == FigureKind::kBars || figure.kind == FigureKind::kBoxes;
  if (grouped && figure.x.categories.empty())
    throw InputError("figure: bars and boxes need categories");
  for (const PublishedRange& range : figure.published) {
    if (range.category >= figure.x.categories.size() || range.series >= figure.series.size())
      throw InputError(
          fmt::format("figure: a published range of category {} and series {}, which are not there",
                      range.category, range.series));
    check_value(figure.published_name, figure.y, range.low);
    check_value(figure.published_name, figure.y, range.high);
  }
}

class Drawing {
 public:
  explicit Drawing(const Figure& figure) : figure_(figure) {}

  std::string draw() {
    check(figure_);
    const double top = heading();
    area_.top = top;
    area_.bottom = top + figure_.plot_height_pt;
    y_ = y_scale();
    const std::vector<FigureTick> ticks = y_ticks(y_);
    const std::vector<std::string> y_title =
        wrapped(figure_.y.title, figure_.plot_height_pt, kFigureFont);
    const double title_room = static_cast<double>(y_title.size()) * kFigureLine;
    area_.left = kEdge + title_room + widest(ticks) + 7;
    area_.right = figure_.width_pt - 5;
    const double below = lay_out_x();
    draw_y_axis(svg_, area_, y_, ticks);
    if (figure_.diagonal) diagonal();
    data();
    svg_.path(fmt::format("M{:.2f} {:.2f}V{:.2f}H{:.2f}", area_.left, area_.top, area_.bottom,
                          area_.right),
              "stroke=\"#222222\" stroke-width=\"0.7\" fill=\"none\"");
    draw_x_labels();
    turned_title(y_title);
    const double height = x_title(below);
    return svg_.picture({figure_.width_pt, std::ceil(height + kEdge), "pt",
                         "Helvetica, Arial, 'Liberation Sans', sans-serif", kFigureFont,
                         described()});
  }

 private:
  // Title and legend; returns where the plot begins.
  double heading() {
    double top = kEdge;
    for (const std::string& line :
         wrapped(figure_.title, figure_.width_pt - 2 * kEdge, kFigureFont * 1.06)) {
      top += kFigureLine;
      svg_.text(figure_.width_pt / 2, top - 2, line, "text-anchor=\"middle\" font-weight=\"bold\"");
    }
    return draw_legend(svg_, figure_, top) + 5;
  }

  std::string described() const {
    if (!figure_.description.empty()) return figure_.description;
    std::string text = fmt::format("{} by {}", figure_.y.title, figure_.x.title);
    for (const FigureSeries& one : figure_.series)
      if (!one.name.empty()) text += (&one == &figure_.series.front() ? ": " : ", ") + one.name;
    return text;
  }

  Range y_range() const {
    Range range;
    for (const FigureSeries& one : figure_.series) {
      for (const FigurePoint& point : one.points) {
        range.add(point.y);
        if (!point.interval || figure_.kind == FigureKind::kBoxes) continue;
        // Below zero an interval leaves a logarithmic axis.
        if (!figure_.y.logarithmic || point.interval->first > 0) range.add(point.interval->first);
        range.add(point.interval->second);
      }
    }
    for (const PublishedRange& published : figure_.published) {
      range.add(published.low);
      range.add(published.high);
    }
    return range;
  }

  Range x_range() const {
    Range range;
    for (const FigureSeries& one : figure_.series)
      for (const FigurePoint& point : one.points) range.add(point.x);
    return range;
  }

  static FigureScale scale_of(Range range, const FigureAxis& axis, double margin, bool zero) {
    FigureScale scale;
    scale.logarithmic = axis.logarithmic;
    if (axis.logarithmic) {
      const double factor = std::max(std::pow(range.high / range.low, margin), 1.05);
      scale.low = range.low / factor;
      scale.high = range.high * factor;
    } else {
      if (zero && range.low >= 0) range.low = 0;
      if (zero && range.high <= 0) range.high = 0;
      double extent = range.high - range.low;
      if (extent == 0) extent = range.high == 0 ? 1 : std::abs(range.high);
      scale.low = zero && range.low == 0 ? 0 : range.low - margin * extent;
      scale.high = zero && range.high == 0 ? 0 : range.high + margin * extent;
    }
    scale.low = axis.from.value_or(scale.low);
    scale.high = axis.to.value_or(scale.high);
    if (!(scale.low < scale.high) || (axis.logarithmic && scale.low <= 0))
      throw InputError(fmt::format("figure: the axis '{}' goes from {} to {}", axis.title,
                                   scale.low, scale.high));
    return scale;
  }

  FigureScale y_scale() const {
    Range range = y_range();
    if (figure_.diagonal) {
      range.add(x_range().low);
      range.add(x_range().high);
    }
    const bool zero =
        figure_.kind == FigureKind::kBars || (range.low >= 0 && range.low < 0.5 * range.high);
    FigureScale scale = scale_of(range, figure_.y, 0.05, zero);
    scale.from = area_.bottom;
    scale.to = area_.top;
    return scale;
  }

  // Returns where what stands below the axis ends.
  double lay_out_x() {
    if (!figure_.x.categories.empty()) {
      slot_ = (area_.right - area_.left) / static_cast<double>(figure_.x.categories.size());
      labels_.emplace(figure_.x.categories, slot_, area_.left + slot_ / 2 - kEdge - 6);
      return area_.bottom + 3 + labels_->height();
    }
    if (figure_.diagonal) {
      x_ = y_;
    } else {
      x_ = scale_of(x_range(), figure_.x, 0.04, false);
    }
    x_.from = area_.left;
    x_.to = area_.right;
    std::set<double> distinct;
    for (const FigureSeries& one : figure_.series)
      for (const FigurePoint& point : one.points) distinct.insert(point.x);
    ticks_ = x_ticks(x_, {distinct.begin(), distinct.end()});
    // The last label must end on the paper.
    if (!ticks_.empty()) {
      const double end =
          x_.at(ticks_.back().value) + text_width(ticks_.back().text, kFigureFont) / 2;
      area_.right -= std::max(0.0, end + kEdge - figure_.width_pt);
      x_.to = area_.right;
    }
    return area_.bottom + 2.5 + kFigureLine + 1;
  }

  void draw_x_labels() {
    if (labels_) {
      labels_->draw(svg_, area_.left + slot_ / 2, area_.bottom + 3);
    } else {
      draw_x_axis(svg_, area_, x_, ticks_);
    }
  }

  void turned_title(const std::vector<std::string>& lines) {
    const double middle = (area_.top + area_.bottom) / 2;
    double x = kEdge + kFigureFont - 1;
    for (const std::string& line : lines) {
      svg_.text(
          x, middle, line,
          fmt::format("text-anchor=\"middle\" transform=\"rotate(-90 {:.1f} {:.1f})\"", x, middle));
      x += kFigureLine;
    }
  }

  double x_title(double below) {
    for (const std::string& line : wrapped(figure_.x.title, area_.right - kEdge, kFigureFont)) {
      below += kFigureLine;
      // In the middle of the plot, or of the paper where it would leave that.
      const double half = text_width(line, kFigureFont) / 2;
      const double middle = std::max((area_.left + area_.right) / 2, kEdge + half);
      svg_.text(std::min(middle, figure_.width_pt - kEdge - half), below - 1, line,
                "text-anchor=\"middle\"");
    }
    return below;
  }

  void diagonal() {
    svg_.path(fmt::format("M{:.2f} {:.2f}L{:.2f} {:.2f}", area_.left, area_.bottom, area_.right,
                          area_.top),
              "stroke=\"#777777\" stroke-width=\"0.7\" stroke-dasharray=\"3 2\"");
  }

  void data() {
    switch (figure_.kind) {
      case FigureKind::kLines:
        for (std::size_t s = 0; s < figure_.series.size(); ++s) line(s);
        for (std::size_t s = 0; s < figure_.series.size(); ++s) line_marks(s);
        break;
      case FigureKind::kScatter: scatter(); break;
      case FigureKind::kBars:
        for (std::size_t s = 0; s < figure_.series.size(); ++s) bars(s);
        break;
      case FigureKind::kBoxes:
        for (std::size_t s = 0; s < figure_.series.size(); ++s) boxes(s);
        break;
    }
    for (const PublishedRange& range : figure_.published) {
      const auto [left, right] = place(range.series, static_cast<double>(range.category));
      draw_published(svg_, {left - 1.2, y_at(range.high), right + 1.2, y_at(range.low)});
    }
    if (figure_.kind == FigureKind::kBars)
      for (std::size_t s = 0; s < figure_.series.size(); ++s) bar_intervals(s);
  }

  // Within the plot; beyond it at its edge.
  double y_at(double value) const {
    if (y_.logarithmic && value <= y_.low) return area_.bottom;
    return std::clamp(y_.at(value), area_.top, area_.bottom);
  }

  double x_at(double value) const {
    return labels_ ? area_.left + slot_ * (value + 0.5) : x_.at(value);
  }

  bool inside(const FigurePoint& point) const {
    return point.y >= y_.low && point.y <= y_.high &&
           (labels_ || (point.x >= x_.low && point.x <= x_.high));
  }

  std::vector<FigurePoint> shown(std::size_t series) const {
    std::vector<FigurePoint> points = figure_.series[series].points;
    std::erase_if(points, [&](const FigurePoint& point) { return !inside(point); });
    std::stable_sort(points.begin(), points.end(),
                     [](const FigurePoint& a, const FigurePoint& b) { return a.x < b.x; });
    return points;
  }

  void line(std::size_t series) {
    const SeriesStyle style = series_style(series);
    const std::vector<FigurePoint> points = shown(series);
    std::string d;
    std::string high;
    std::string low;
    for (const FigurePoint& point : points) {
      const double x = x_at(point.x);
      d += fmt::format("{}{:.2f} {:.2f}", d.empty() ? "M" : "L", x, y_at(point.y));
      const auto [from, to] = point.interval.value_or(std::pair(point.y, point.y));
      high += fmt::format("{}{:.2f} {:.2f}", high.empty() ? "M" : "L", x, y_at(to));
      low = fmt::format("L{:.2f} {:.2f}", x, y_at(from)) + low;
    }
    if (points.empty()) return;
    if (figure_.bands)
      svg_.path(high + low + "z", fmt::format("fill=\"{}\" fill-opacity=\"0.2\"", style.colour));
    svg_.path(
        d,
        fmt::format("stroke=\"{}\" stroke-width=\"1.1\" fill=\"none\"{}", style.colour,
                    style.dash.empty() ? "" : fmt::format(" stroke-dasharray=\"{}\"", style.dash)));
  }

  void line_marks(std::size_t series) {
    const SeriesStyle style = series_style(series);
    const std::vector<FigurePoint> points = shown(series);
    // Markers that stand in each other's way tell nothing.
    const std::size_t every = std::max<std::size_t>(1, points.size() / 16);
    for (std::size_t i = 0; i < points.size(); ++i) {
      const FigurePoint& point = points[i];
      const double x = x_at(point.x);
      if (point.interval && !figure_.bands)
        draw_interval(svg_, x, y_at(point.interval->first), y_at(point.interval->second),
                      style.colour);
      if (i % every == series % every) draw_marker(svg_, {x, y_at(point.y)}, 2, style);
    }
  }

  // By turns, so that no series covers the others.
  void scatter() {
    std::vector<std::vector<FigurePoint>> points;
    std::size_t all = 0;
    std::size_t most = 0;
    for (std::size_t s = 0; s < figure_.series.size(); ++s) {
      points.push_back(shown(s));
      all += points[s].size();
      most = std::max(most, points[s].size());
    }
    const double radius = all > 2000 ? 0.9 : all > 300 ? 1.3 : 2;
    std::set<std::tuple<std::size_t, long, long>> drawn;
    for (std::size_t i = 0; i < most; ++i) {
      for (std::size_t s = 0; s < points.size(); ++s) {
        if (i >= points[s].size()) continue;
        const FigurePoint& point = points[s][i];
        const double x = x_at(point.x);
        const double y = y_at(point.y);
        // Of many at one spot one is seen.
        if (!drawn.insert({s, std::lround(x * 5), std::lround(y * 5)}).second) continue;
        const SeriesStyle style = series_style(s);
        if (point.interval)
          draw_interval(svg_, x, y_at(point.interval->first), y_at(point.interval->second),
                        style.colour);
        draw_marker(svg_, {x, y}, radius, style);
      }
    }
  }

  // Of the bar or box of a series: left and right.
  std::pair<double, double> place(std::size_t series, double category) const {
    constexpr double kWidest = 26;
    const auto count = static_cast<double>(figure_.series.size());
    const double width = std::min(slot_ * 0.82 / count, kWidest);
    const double left = x_at(category) + (static_cast<double>(series) - count / 2) * width;
    const double gap = std::min(0.12 * width, 2.0);
    return {left + gap / 2, left + width - gap / 2};
  }

  void bars(std::size_t series) {
    const double base = y_.logarithmic ? area_.bottom : y_at(0);
    for (const FigurePoint& point : figure_.series[series].points) {
      const auto [left, right] = place(series, point.x);
      const double end = y_at(point.y);
      draw_bar(svg_, {left, std::min(base, end), right, std::max(base, end)}, series_style(series));
    }
  }

  void bar_intervals(std::size_t series) {
    for (const FigurePoint& point : figure_.series[series].points) {
      if (!point.interval) continue;
      const auto [left, right] = place(series, point.x);
      const double low = y_at(point.interval->first);
      const double high = y_at(point.interval->second);
      svg_.path(fmt::format("M{:.2f} {:.2f}V{:.2f}", (left + right) / 2, low, high),
                fmt::format("stroke=\"white\" stroke-width=\"{}\"", kHalo));
      draw_interval(svg_, (left + right) / 2, low, high, "#000000");
    }
  }

  void boxes(std::size_t series) {
    std::map<double, std::vector<double>> values;
    for (const FigurePoint& point : figure_.series[series].points)
      values[point.x].push_back(point.y);
    const SeriesStyle style = series_style(series);
    for (const auto& [category, ys] : values) {
      const Box box = box_of(ys);
      const auto [left, right] = place(series, category);
      const double middle = (left + right) / 2;
      const double quarter = (right - left) / 4;
      svg_.path(fmt::format("M{m:.2f} {:.2f}V{:.2f}M{m:.2f} {:.2f}V{:.2f}M{l:.2f} {:.2f}h{w:.2f}"
                            "M{l:.2f} {:.2f}h{w:.2f}",
                            y_at(box.first_quartile), y_at(box.low), y_at(box.third_quartile),
                            y_at(box.high), y_at(box.low), y_at(box.high), fmt::arg("m", middle),
                            fmt::arg("l", middle - quarter), fmt::arg("w", 2 * quarter)),
                "stroke=\"#222222\" stroke-width=\"0.7\" fill=\"none\"");
      draw_bar(svg_, {left, y_at(box.third_quartile), right, y_at(box.first_quartile)}, style);
      const std::string median =
          fmt::format("M{:.2f} {:.2f}H{:.2f}", left, y_at(box.median), right);
      svg_.path(median, "stroke=\"white\" stroke-width=\"2.6\"");
      svg_.path(median, "stroke=\"black\" stroke-width=\"1.2\"");
      SeriesStyle outlier = style;
      outlier.marker = 0;
      outlier.open = true;
      for (double value : box.outliers)
        if (value >= y_.low && value <= y_.high)
          draw_marker(svg_, {middle, y_at(value)}, 1.2, outlier);
    }
  }

  const Figure& figure_;
  Svg svg_;
  Rectangle area_;
  FigureScale x_;
  FigureScale y_;
  std::vector<FigureTick> ticks_;  // of x
  double slot_ = 0;                // the width of a category
  std::optional<CategoryLabels> labels_;
};

}  // namespace

std::string figure_svg(const Figure& figure) { return Drawing(figure).draw(); }

}  // namespace lingua
