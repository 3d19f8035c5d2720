#include <algorithm>
#include <cmath>

#include "runtime/base/errors.h"
#include "runtime/report/pareto_report.h"
#include "runtime/report/svg.h"
#include "runtime/report/ticks.h"

namespace lingua {
namespace {

// Sized for a column of 8.5 cm, where a pixel is 0.5 pt.
constexpr double kWidth = 480;
constexpr double kLeft = 74;
constexpr double kRight = kWidth - 16;
constexpr double kTop = 92;       // of the first panel
constexpr double kPanel = 210;    // the first panel's height
constexpr double kFurther = 130;  // that of the others
constexpr double kBetween = 40;
constexpr double kBottom = 52;
constexpr double kLetter = 8.4;  // of a label
constexpr double kLine = 14;
constexpr const char* kSmall = "font-size=\"12\" fill=\"#555555\"";

// A goal as people read it: a rate where it is one, so that more is better.
struct Scale {
  explicit Scale(const Objective& goal)
      : rate(goal.is_throughput()),
        title(objective_name(goal) + unit_of(goal) +
              (rate ? " (more is better)" : " (less is better)")) {}

  double shown(double value) const { return rate ? 1 / value : value; }

  static std::string unit_of(const Objective& goal) {
    if (goal.is_throughput()) return ", tokens/s";
    if (goal == Objective::kEnergy) return ", J per token";
    const bool time =
        goal == Objective::kLatency || goal == Objective::kTtft || goal == Objective::kTpot;
    return time ? ", s" : "";
  }

  bool rate;
  std::string title;
};

// Values of one goal, as shown, along one side of the picture.
struct Axis {
  double low = 0;
  double high = 1;
  double from = 0;  // where low is drawn
  double to = 1;

  double at(double value) const { return from + (to - from) * (value - low) / (high - low); }
  bool shows(double value) const { return value >= low && value <= high; }
};

struct Rectangle {
  double left = 0;
  double top = 0;
  double right = 0;
  double bottom = 0;

  bool meets(const Rectangle& other) const {
    return left < other.right && other.left < right && top < other.bottom && other.top < bottom;
  }
};

class Picture {
 public:
  explicit Picture(const ParetoFront& front) : front_(front) {
    for (const Objective& goal : front.goals) scales_.emplace_back(goal);
    x_ = axis_of(0, kLeft, kRight);
  }

  std::string draw() {
    const Plan& any = front_.points.front().plan;
    line(24, fmt::format("{} on {}", any.model, any.cluster),
         "font-size=\"16\" font-weight=\"bold\"");
    line(44, fmt::format("between {}", goals()), "font-size=\"13\"");
    line(62, "blue: no other plan beats them in all goals; grey: other planners'", kSmall);
    double top = kTop;
    for (std::size_t goal = 1; goal < scales_.size(); ++goal) {
      const double height = goal == 1 ? kPanel : kFurther;
      panel(goal, top, top + height);
      top += height + kBetween;
    }
    const double bottom = top - kBetween;
    for (double value : ticks(x_))
      svg_.text(x_.at(value), bottom + 18, number(value),
                "text-anchor=\"middle\" font-size=\"13\"");
    svg_.text((kLeft + kRight) / 2, bottom + 40, scales_[0].title,
              "text-anchor=\"middle\" font-weight=\"bold\" font-size=\"13\"");
    return svg_.picture(kWidth, bottom + kBottom);
  }

 private:
  void line(double y, const std::string& text, const std::string& style) {
    svg_.text(kWidth / 2, y, text, style + " text-anchor=\"middle\"" + fitted(text, style));
  }

  // Squeezed where a long name would leave the picture.
  static std::string fitted(const std::string& text, const std::string& style) {
    const double letter = style.find("16") != std::string::npos ? 9.2 : 6.8;
    if (letter * static_cast<double>(text.size()) < kWidth - 16) return "";
    return fmt::format(" textLength=\"{}\" lengthAdjust=\"spacingAndGlyphs\"", kWidth - 16);
  }

  std::string goals() const {
    std::string text;
    for (std::size_t g = 0; g < front_.goals.size(); ++g) {
      const char* comma = g == 0 ? "" : g + 1 == front_.goals.size() ? " and " : ", ";
      text += comma + objective_name(front_.goals[g]);
    }
    return text;
  }

  double shown(const ParetoPoint& point, std::size_t goal) const {
    return scales_[goal].shown(point.values[goal]);
  }

  // The front's values and a margin, and as much again where other plans are.
  Axis axis_of(std::size_t goal, double from, double to) const {
    double low = shown(front_.points.front(), goal);
    double high = low;
    for (const ParetoPoint& point : front_.points) {
      low = std::min(low, shown(point, goal));
      high = std::max(high, shown(point, goal));
    }
    const double reach = std::max(high - low, 0.25 * high);
    const double lowest = std::max(0.0, low - reach);
    const double highest = high + reach;
    for (const ParetoPoint& point : front_.dominated) {
      const double value = shown(point, goal);
      if (value < lowest || value > highest) continue;
      low = std::min(low, value);
      high = std::max(high, value);
    }
    const double margin = std::max(0.1 * (high - low), 0.02 * high);
    return {std::max(0.0, low - margin), high + margin, from, to};
  }

  static std::vector<double> ticks(const Axis& axis) {
    const double step = round_step((axis.high - axis.low) / 4);
    std::vector<double> values;
    for (double v = std::ceil(axis.low / step) * step; v <= axis.high; v += step)
      values.push_back(v);
    return values;
  }

  static std::string number(double value) { return fmt::format("{:.4g}", value); }

  // One goal over the first.
  void panel(std::size_t goal, double top, double bottom) {
    const Axis y = axis_of(goal, bottom, top);
    taken_.clear();
    for (double v : ticks(x_))
      svg_.path(fmt::format("M{:.1f} {} V{}", x_.at(v), top, bottom), "stroke=\"#e4e4e4\"");
    for (double v : ticks(y)) {
      svg_.path(fmt::format("M{} {:.1f} H{}", kLeft, y.at(v), kRight), "stroke=\"#e4e4e4\"");
      svg_.text(kLeft - 7, y.at(v) + 4, number(v), "text-anchor=\"end\" font-size=\"13\"");
    }
    svg_.path(fmt::format("M{} {} V{} H{}", kLeft, top, bottom, kRight),
              "stroke=\"#444444\" fill=\"none\"");
    svg_.text(kLeft, top - 8, scales_[goal].title, "font-weight=\"bold\" font-size=\"13\"");
    area_ = {kLeft + 1, top, kRight, bottom - 1};
    int outside = 0;
    for (const ParetoPoint& point : front_.dominated) outside += dot(point, goal, y, false) ? 0 : 1;
    for (const ParetoPoint& point : front_.points) dot(point, goal, y, true);
    for (std::size_t i = 0; i < front_.points.size(); ++i) label(i, goal, y);
    if (outside > 0)
      svg_.text(kRight, top - 8, fmt::format("{} worse are outside", outside),
                std::string(kSmall) + " text-anchor=\"end\"");
  }

  bool dot(const ParetoPoint& point, std::size_t goal, const Axis& y, bool on_front) {
    if (!x_.shows(shown(point, 0)) || !y.shows(shown(point, goal))) return false;
    const double radius = on_front ? 4.5 : 3.5;
    const double x = x_.at(shown(point, 0));
    const double at = y.at(shown(point, goal));
    svg_.circle(x, at, radius, on_front ? kColours[0] : "#aaaaaa", hint(point));
    taken_.push_back({x - radius, at - radius, x + radius, at + radius});
    return true;
  }

  // The number of a plan where nothing else is, as near to its point as can be; a line leads there from
  // afar.
  void label(std::size_t i, std::size_t goal, const Axis& y_axis) {
    const double x = x_.at(shown(front_.points[i], 0));
    const double y = y_axis.at(shown(front_.points[i], goal));
    const std::string text = fmt::format("{}", i + 1);
    const double half = kLetter * static_cast<double>(text.size()) / 2 + 1;
    constexpr int kWays = 16;
    constexpr double kTurn = 6.283185307179586 / kWays;
    for (double distance = 13; distance < kWidth; distance += 6) {
      for (int way = 0; way < kWays; ++way) {
        // Up and to the right first, then turning to both sides.
        const double angle = 0.785 + kTurn * ((way + 1) / 2) * (way % 2 == 0 ? 1 : -1);
        const double cx = x + distance * std::cos(angle);
        const double cy = y - distance * std::sin(angle);
        const Rectangle box{cx - half, cy - kLine / 2, cx + half, cy + kLine / 2};
        const bool inside = box.left > area_.left && box.right < area_.right &&
                            box.top > area_.top && box.bottom < area_.bottom;
        if (!inside || std::any_of(taken_.begin(), taken_.end(),
                                   [&](const Rectangle& other) { return box.meets(other); }))
          continue;
        taken_.push_back(box);
        if (distance > 20) {
          const double end = distance - 8;
          svg_.path(fmt::format("M{:.1f} {:.1f} L{:.1f} {:.1f}", x, y, x + end * std::cos(angle),
                                y - end * std::sin(angle)),
                    "stroke=\"#888888\" stroke-width=\"0.8\"");
        }
        svg_.text(cx, cy + 5, text, "text-anchor=\"middle\" font-weight=\"bold\" font-size=\"14\"");
        return;
      }
    }
  }

  std::string hint(const ParetoPoint& point) const {
    std::string text = point.plan.planner;
    for (std::size_t g = 0; g < front_.goals.size(); ++g) {
      text += fmt::format(", {} {}", objective_name(front_.goals[g]),
                          objective_text(point.values[g], front_.goals[g]));
    }
    for (const Stage& stage : point.plan.stages)
      text += fmt::format("; {} {}-{}", stage.device, stage.first_segment, stage.last_segment);
    return text;
  }

  const ParetoFront& front_;
  std::vector<Scale> scales_;
  Axis x_;
  Rectangle area_;
  Svg svg_;
  std::vector<Rectangle> taken_;  // by points and labels of the panel
};

}  // namespace

std::string pareto_picture(const ParetoFront& front) { return Picture(front).draw(); }

}  // namespace lingua
