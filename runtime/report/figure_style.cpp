#include "runtime/report/figure_style.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace lingua {
namespace {

// Its yellow is not to be seen on white.
constexpr std::array kFigureColours = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                       "#e69f00", "#56b4e9", "#000000"};
constexpr std::array kDashes = {"", "5 2", "1.5 1.5", "6 1.5 1.5 1.5"};

// The lines x + sign * y = const that are `apart`, within a rectangle.
std::string slanted(const Rectangle& r, double sign, double apart) {
  std::string d;
  const double first = r.left + std::min(sign * r.top, sign * r.bottom);
  const double last = r.right + std::max(sign * r.top, sign * r.bottom);
  for (double c = std::ceil(first / apart) * apart; c < last; c += apart) {
    const double from = std::max(r.left, c - std::max(sign * r.top, sign * r.bottom));
    const double to = std::min(r.right, c - std::min(sign * r.top, sign * r.bottom));
    if (to - from < 0.05) continue;
    d += fmt::format("M{:.2f} {:.2f}L{:.2f} {:.2f}", from, sign * (c - from), to, sign * (c - to));
  }
  return d;
}

std::string level(const Rectangle& r, double apart) {
  std::string d;
  for (double y = r.bottom - apart; y > r.top + 0.4; y -= apart)
    d += fmt::format("M{:.2f} {:.2f}H{:.2f}", r.left, y, r.right);
  return d;
}

std::string upright(const Rectangle& r, double apart) {
  std::string d;
  for (double x = r.left + apart; x < r.right - 0.4; x += apart)
    d += fmt::format("M{:.2f} {:.2f}V{:.2f}", x, r.top, r.bottom);
  return d;
}

std::string hatching(const Rectangle& r, int hatch) {
  constexpr double kApart = 3;
  switch (hatch) {
    case 1: return slanted(r, 1, kApart * 1.4);
    case 2: return slanted(r, -1, kApart * 1.4);
    case 3: return slanted(r, 1, kApart * 1.6) + slanted(r, -1, kApart * 1.6);
    case 4: return level(r, kApart);
    case 5: return upright(r, kApart);
    default: return "";
  }
}

std::string outline(Spot p, double r, int marker) {
  switch (marker) {
    case 0:
      return fmt::format(
          "M{:.2f} {:.2f}a{r:.2f} {r:.2f} 0 1 0 {d:.2f} 0a{r:.2f} {r:.2f} 0 1 0 -{d:.2f} 0z",
          p.x - r, p.y, fmt::arg("r", r), fmt::arg("d", 2 * r));
    case 1:
      return fmt::format("M{:.2f} {:.2f}h{d:.2f}v{d:.2f}h-{d:.2f}z", p.x - 0.9 * r, p.y - 0.9 * r,
                         fmt::arg("d", 1.8 * r));
    case 2:
      return fmt::format("M{:.2f} {:.2f}l{:.2f} {h:.2f}h-{:.2f}z", p.x, p.y - 1.2 * r, 1.1 * r,
                         2.2 * r, fmt::arg("h", 2 * r));
    case 3:
      return fmt::format("M{:.2f} {:.2f}l{d:.2f} {d:.2f}l-{d:.2f} {d:.2f}l-{d:.2f} -{d:.2f}z", p.x,
                         p.y - 1.3 * r, fmt::arg("d", 1.3 * r));
    case 4:
      return fmt::format("M{:.2f} {:.2f}l{:.2f} -{h:.2f}h-{:.2f}z", p.x, p.y + 1.2 * r, 1.1 * r,
                         2.2 * r, fmt::arg("h", 2 * r));
    default:
      return fmt::format("M{:.2f} {:.2f}l{d:.2f} {d:.2f}m0 -{d:.2f}l-{d:.2f} {d:.2f}", p.x - r,
                         p.y - r, fmt::arg("d", 2 * r));
  }
}

}  // namespace

SeriesStyle series_style(std::size_t series) {
  SeriesStyle style;
  style.colour = kFigureColours[series % kFigureColours.size()];
  style.dash = kDashes[series % kDashes.size()];
  style.marker = static_cast<int>(series % kMarkers);
  style.open = series / kMarkers % 2 == 1;
  style.hatch = static_cast<int>(series % kHatches);
  return style;
}

void draw_marker(Svg& svg, Spot at, double radius, const SeriesStyle& style) {
  const bool cross = style.marker == kMarkers - 1;
  // A second round of crosses has a bar across, so that it differs.
  std::string d = outline(at, radius, style.marker);
  if (cross && style.open)
    d += fmt::format("M{:.2f} {:.2f}h{:.2f}", at.x - radius, at.y, 2 * radius);
  svg.path(d, fmt::format("fill=\"{}\" stroke=\"{}\" stroke-width=\"{}\"",
                          cross        ? "none"
                          : style.open ? "white"
                                       : style.colour,
                          style.colour, cross ? 1.1 : 0.8));
}

void draw_bar(Svg& svg, const Rectangle& bar, const SeriesStyle& style) {
  if (bar.bottom - bar.top < 0.01) return;
  const std::string d = fmt::format("M{:.2f} {:.2f}H{:.2f}V{:.2f}H{:.2f}z", bar.left, bar.top,
                                    bar.right, bar.bottom, bar.left);
  svg.path(d, fmt::format("fill=\"{}\"", style.open ? "white" : style.colour));
  const std::string lines = hatching(bar, style.hatch);
  if (!lines.empty())
    svg.path(lines, fmt::format("stroke=\"{}\" stroke-width=\"0.9\" fill=\"none\"",
                                style.open ? style.colour : "white"));
  svg.path(d, fmt::format("fill=\"none\" stroke=\"{}\" stroke-width=\"0.6\"",
                          style.open ? style.colour : "#222222"));
}

void draw_interval(Svg& svg, double x, double low_y, double high_y, const std::string& colour) {
  constexpr double kCap = 2;
  svg.path(
      fmt::format("M{:.2f} {:.2f}V{:.2f}M{l:.2f} {:.2f}h{c:.1f}M{l:.2f} {:.2f}h{c:.1f}", x, low_y,
                  high_y, low_y, high_y, fmt::arg("l", x - kCap), fmt::arg("c", 2 * kCap)),
      fmt::format("stroke=\"{}\" stroke-width=\"0.7\" fill=\"none\"", colour));
}

void draw_published(Svg& svg, const Rectangle& range) {
  svg.path(fmt::format("M{:.2f} {:.2f}H{:.2f}V{:.2f}H{:.2f}z", range.left, range.top, range.right,
                       range.bottom, range.left),
           "fill=\"#999999\" fill-opacity=\"0.45\"");
  svg.path(fmt::format("M{l:.2f} {:.2f}H{r:.2f}M{l:.2f} {:.2f}H{r:.2f}", range.top, range.bottom,
                       fmt::arg("l", range.left), fmt::arg("r", range.right)),
           "stroke=\"#000000\" stroke-width=\"1.2\" fill=\"none\"");
}

}  // namespace lingua
