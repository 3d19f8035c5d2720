#include "runtime/report/figure_axes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "runtime/report/text_width.h"
#include "runtime/report/ticks.h"

namespace lingua {
namespace {

constexpr const char* kInk = "stroke=\"#222222\" stroke-width=\"0.7\" fill=\"none\"";
constexpr double kMark = 2.5;    // length of a mark
constexpr double kGap = 5;       // between labels side by side
constexpr double kLongest = 84;  // of a turned label

std::vector<FigureTick> with_texts(const std::vector<double>& values) {
  const std::vector<std::string> texts = tick_texts(values);
  std::vector<FigureTick> ticks;
  for (std::size_t i = 0; i < values.size(); ++i) ticks.push_back({values[i], texts[i]});
  return ticks;
}

std::vector<FigureTick> round_ticks(const FigureScale& scale, int most) {
  return with_texts(scale.logarithmic ? log_ticks(scale.low, scale.high, most)
                                      : linear_ticks(scale.low, scale.high, most));
}

bool apart(const FigureScale& scale, const std::vector<FigureTick>& ticks) {
  for (std::size_t i = 1; i < ticks.size(); ++i) {
    const double half =
        (text_width(ticks[i - 1].text, kFigureFont) + text_width(ticks[i].text, kFigureFont)) / 2;
    if (scale.at(ticks[i].value) - scale.at(ticks[i - 1].value) < half + kGap) return false;
  }
  return true;
}

bool all_numbers(const std::vector<std::string>& names) {
  return std::all_of(names.begin(), names.end(), [](const std::string& name) {
    return !name.empty() && name.find_first_not_of("0123456789.-") == std::string::npos;
  });
}

void short_marks(Svg& svg, const FigureScale& scale, double edge, bool below) {
  if (!scale.logarithmic || scale.high / scale.low < 3) return;
  std::string d;
  for (double mark : log_marks(scale.low, scale.high)) {
    d += below ? fmt::format("M{:.2f} {:.2f}v{}", scale.at(mark), edge, kMark / 2)
               : fmt::format("M{:.2f} {:.2f}h-{}", edge, scale.at(mark), kMark / 2);
  }
  svg.path(d, kInk);
}

}  // namespace

double FigureScale::at(double value) const {
  const double share =
      logarithmic ? std::log(value / low) / std::log(high / low) : (value - low) / (high - low);
  return from + (to - from) * share;
}

std::vector<FigureTick> x_ticks(const FigureScale& scale, const std::vector<double>& distinct) {
  if (!distinct.empty() && distinct.size() <= 10) {
    std::vector<FigureTick> ticks = with_texts(distinct);
    std::erase_if(ticks, [&](const FigureTick& tick) {
      return tick.value < scale.low || tick.value > scale.high;
    });
    if (!ticks.empty() && apart(scale, ticks)) return ticks;
  }
  for (int most = 10; most > 2; --most) {
    std::vector<FigureTick> ticks = round_ticks(scale, most);
    if (apart(scale, ticks)) return ticks;
  }
  return round_ticks(scale, 2);
}

std::vector<FigureTick> y_ticks(const FigureScale& scale) {
  return round_ticks(scale, std::max(2, static_cast<int>((scale.from - scale.to) / 18)));
}

double widest(const std::vector<FigureTick>& ticks) {
  double width = 0;
  for (const FigureTick& tick : ticks) width = std::max(width, text_width(tick.text, kFigureFont));
  return width;
}

CategoryLabels::CategoryLabels(const std::vector<std::string>& names, double slot, double room)
    : slot_(slot) {
  std::size_t most_lines = 0;
  bool fits = true;
  for (const std::string& name : names) {
    labels_.push_back(wrapped(name, slot - kGap, kFigureFont));
    most_lines = std::max(most_lines, labels_.back().size());
    // A word that had to be broken within is easier to read when turned.
    std::string joined;
    for (const std::string& line : labels_.back()) joined += line;
    const auto spaces = static_cast<std::size_t>(std::count(name.begin(), name.end(), ' '));
    fits = fits && labels_.back().size() <= spaces + 1;
    for (const std::string& line : labels_.back())
      fits = fits && text_width(line, kFigureFont) <= slot - kGap / 2;
  }
  if (fits && most_lines <= 3) {
    height_ = static_cast<double>(std::max<std::size_t>(most_lines, 1)) * kFigureLine;
    return;
  }
  if (all_numbers(names)) {
    // Who reads them knows what is between them.
    double widest_name = 0;
    for (const std::string& name : names)
      widest_name = std::max(widest_name, text_width(name, kFigureFont));
    const auto every = static_cast<std::size_t>(std::ceil((widest_name + kGap) / slot));
    for (std::size_t i = 0; i < names.size(); ++i)
      labels_[i] = i % every == 0 ? std::vector{names[i]} : std::vector<std::string>();
    height_ = kFigureLine;
    return;
  }
  turn(names, room);
}

void CategoryLabels::turn(const std::vector<std::string>& names, double room) {
  angle_ = slot_ >= kFigureLine * 1.5 ? 40 : 90;
  const double radians = angle_ * 3.14159265358979 / 180;
  const auto every = static_cast<std::size_t>(std::max(1.0, std::ceil(kFigureLine / slot_)));
  double longest = 0;
  for (std::size_t i = 0; i < names.size(); ++i) {
    labels_[i].clear();
    if (i % every != 0) continue;
    // It must not leave the picture at its left.
    const double reach =
        angle_ == 90
            ? kLongest
            : std::min(kLongest, (room + slot_ * static_cast<double>(i)) / std::cos(radians));
    labels_[i] = {shortened(names[i], std::max(reach, 24.0), kFigureFont)};
    longest = std::max(longest, text_width(labels_[i][0], kFigureFont));
  }
  height_ = longest * std::sin(radians) + kFigureLine * std::cos(radians) + 2;
}

void CategoryLabels::draw(Svg& svg, double first_middle, double top) const {
  for (std::size_t i = 0; i < labels_.size(); ++i) {
    const double x = first_middle + slot_ * static_cast<double>(i);
    if (angle_ == 0) {
      for (std::size_t line = 0; line < labels_[i].size(); ++line)
        svg.text(x, top + kFigureFont - 0.5 + kFigureLine * static_cast<double>(line),
                 labels_[i][line], "text-anchor=\"middle\"");
    } else if (!labels_[i].empty()) {
      const double shift = angle_ == 90 ? 2.8 : 3;
      svg.text(x + shift, top + (angle_ == 90 ? 1 : 5), labels_[i][0],
               fmt::format("text-anchor=\"end\" transform=\"rotate(-{} {:.1f} {:.1f})\"", angle_,
                           x + shift, top + (angle_ == 90 ? 1 : 5)));
    }
  }
}

void draw_y_axis(Svg& svg, const Rectangle& area, const FigureScale& scale,
                 const std::vector<FigureTick>& ticks) {
  std::string grid;
  std::string marks;
  for (const FigureTick& tick : ticks) {
    const double y = scale.at(tick.value);
    grid += fmt::format("M{:.2f} {:.2f}H{:.2f}", area.left, y, area.right);
    marks += fmt::format("M{:.2f} {:.2f}h-{}", area.left, y, kMark);
    svg.text(area.left - kMark - 2, y + 2.8, tick.text, "text-anchor=\"end\"");
  }
  svg.path(grid, "stroke=\"#dddddd\" stroke-width=\"0.5\"");
  svg.path(marks, kInk);
  short_marks(svg, scale, area.left, false);
}

void draw_x_axis(Svg& svg, const Rectangle& area, const FigureScale& scale,
                 const std::vector<FigureTick>& ticks) {
  std::string marks;
  for (const FigureTick& tick : ticks) {
    const double x = scale.at(tick.value);
    marks += fmt::format("M{:.2f} {:.2f}v{}", x, area.bottom, kMark);
    svg.text(x, area.bottom + kMark + kFigureFont, tick.text, "text-anchor=\"middle\"");
  }
  svg.path(marks, kInk);
  short_marks(svg, scale, area.bottom, true);
}

}  // namespace lingua
