#include <algorithm>
#include <cmath>

#include "runtime/base/errors.h"
#include "runtime/plan/pareto.h"
#include "runtime/plan/svg.h"

namespace lingua {
namespace {

constexpr double kWidth = 960;
constexpr double kHeight = 600;
constexpr double kLeft = 120;
constexpr double kRight = kWidth - 40;
constexpr double kTop = 80;
constexpr double kBottom = kHeight - 70;
constexpr const char* kGrey = "fill=\"#666666\"";

// Values of one goal along one side of the picture.
struct Axis {
  double low = 0;
  double high = 1;
  double from = 0;  // where low is drawn
  double to = 1;

  double at(double value) const { return from + (to - from) * (value - low) / (high - low); }
  bool shows(double value) const { return value <= high; }
};

// From the front's values on to twice the front's width, for as much as there is to show.
Axis axis_of(const ParetoFront& front, std::size_t goal, double from, double to) {
  double low = front.points.front().values[goal];
  double high = low;
  for (const ParetoPoint& point : front.points) {
    low = std::min(low, point.values[goal]);
    high = std::max(high, point.values[goal]);
  }
  const double widest = high + std::max(high - low, 0.25 * high);
  for (const ParetoPoint& point : front.dominated) {
    low = std::min(low, point.values[goal]);
    if (point.values[goal] <= widest) high = std::max(high, point.values[goal]);
  }
  const double margin = std::max(0.08 * (high - low), 0.02 * high);
  return {std::max(0.0, low - margin), high + margin, from, to};
}

// 1, 2 or 5 times a power of ten, for some five steps over a range.
double round_step(double range) {
  const double power = std::pow(10, std::floor(std::log10(range / 5)));
  const double rest = range / 5 / power;
  return power * (rest < 1.5 ? 1 : rest < 3.5 ? 2 : rest < 7.5 ? 5 : 10);
}

class Picture {
 public:
  explicit Picture(const ParetoFront& front)
      : front_(front), x_(axis_of(front, 0, kLeft, kRight)), y_(axis_of(front, 1, kBottom, kTop)) {}

  std::string draw() {
    const Plan& any = front_.points.front().plan;
    svg_.text(kLeft, 30, fmt::format("{} on {}: plans between {}", any.model, any.cluster, goals()),
              "font-size=\"17\" font-weight=\"bold\"");
    svg_.text(kLeft, 50,
              "numbered: no other plan found beats them in all goals; grey: plans of other "
              "planners; nearer to the lower left is better",
              kGrey);
    axes();
    staircase();
    for (const ParetoPoint& point : front_.dominated) dominated(point);
    for (std::size_t i = 0; i < front_.points.size(); ++i) on_front(i);
    if (outside_ > 0) {
      svg_.text(kRight, kTop - 8, fmt::format("outside: {} worse", outside_),
                "fill=\"#666666\" font-size=\"11\" text-anchor=\"end\"");
    }
    return svg_.picture(kWidth, kHeight);
  }

 private:
  std::string goals() const {
    std::string text;
    for (std::size_t g = 0; g < front_.goals.size(); ++g) {
      const char* comma = g == 0 ? "" : g + 1 == front_.goals.size() ? " and " : ", ";
      text += comma + objective_name(front_.goals[g]);
    }
    return text;
  }

  void axes() {
    svg_.path(fmt::format("M{} {} V{} H{}", kLeft, kTop, kBottom, kRight),
              "stroke=\"#444444\" fill=\"none\"");
    for (double v : ticks(x_, 0)) {
      svg_.path(fmt::format("M{:.1f} {} V{}", x_.at(v), kTop, kBottom), "stroke=\"#eeeeee\"");
      svg_.text(x_.at(v), kBottom + 18, tick(v, 0), "text-anchor=\"middle\"");
    }
    for (double v : ticks(y_, 1)) {
      svg_.path(fmt::format("M{} {:.1f} H{}", kLeft, y_.at(v), kRight), "stroke=\"#eeeeee\"");
      svg_.text(kLeft - 8, y_.at(v) + 4, tick(v, 1), "text-anchor=\"end\"");
    }
    svg_.text((kLeft + kRight) / 2, kBottom + 44, objective_name(front_.goals[0]),
              "text-anchor=\"middle\" font-weight=\"bold\"");
    svg_.text(kLeft, kTop - 8, objective_name(front_.goals[1]), "font-weight=\"bold\"");
  }

  // Round values, or round rates where the goal is shown as one.
  std::vector<double> ticks(const Axis& axis, std::size_t goal) const {
    const bool rate = front_.goals[goal].is_throughput();
    const double low = rate ? 1 / axis.high : axis.low;
    const double high = rate ? 1 / std::max(axis.low, axis.high / 20) : axis.high;
    const double step = round_step(high - low);
    std::vector<double> values;
    for (double v = std::ceil(low / step) * step; v <= high; v += step) {
      if (v > 0 || !rate) values.push_back(rate ? 1 / v : v);
    }
    return values;
  }

  std::string tick(double value, std::size_t goal) const {
    return value > 0 ? objective_text(value, front_.goals[goal]) : "0";
  }

  // The border of what the front beats, in its first two goals.
  void staircase() {
    std::string path;
    double least = y_.high;
    for (const ParetoPoint& point : front_.points) {
      if (point.values[1] >= least) continue;
      const double x = x_.at(point.values[0]);
      path += fmt::format("{}{:.1f} {:.1f} L{:.1f} {:.1f} ", path.empty() ? "M" : "L", x,
                          y_.at(least), x, y_.at(point.values[1]));
      least = point.values[1];
    }
    path += fmt::format("H{:.1f}", kRight);
    svg_.path(path, "stroke=\"#4477aa\" stroke-dasharray=\"4 3\" fill=\"none\"");
  }

  void dominated(const ParetoPoint& point) {
    if (!x_.shows(point.values[0]) || !y_.shows(point.values[1])) {
      ++outside_;
      return;
    }
    const double x = x_.at(point.values[0]);
    const double y = y_.at(point.values[1]);
    svg_.circle(x, y, 4, "#aaaaaa", hint(point));
    label(x, y, point.plan.planner, "fill=\"#888888\" font-size=\"11\"");
  }

  void on_front(std::size_t i) {
    const ParetoPoint& point = front_.points[i];
    const double x = x_.at(point.values[0]);
    const double y = y_.at(point.values[1]);
    svg_.circle(x, y, 6, kColours[0], hint(point));
    std::string text = fmt::format("{}", i + 1);
    constexpr std::size_t kRoom = 6;  // more points than these have only a number
    for (std::size_t g = 2; g < front_.goals.size() && front_.points.size() <= kRoom; ++g)
      text += fmt::format(" ({})", objective_text(point.values[g], front_.goals[g]));
    label(x, y, text, "font-weight=\"bold\"");
  }

  // Beside its point, lower where another label is in the way.
  void label(double x, double y, const std::string& text, const std::string& style) {
    constexpr double kLetter = 6.6;
    constexpr double kLine = 13;
    const double width = kLetter * static_cast<double>(text.size());
    const bool left = x + 10 + width > kRight;
    const double begin = left ? x - 10 - width : x + 10;
    double line = y + 4;
    const auto taken = [&](const Label& other) {
      return begin < other.end && other.begin < begin + width && std::abs(other.y - line) < kLine;
    };
    while (std::any_of(labels_.begin(), labels_.end(), taken)) line += kLine;
    labels_.push_back({begin, begin + width, line});
    const std::string halo = " paint-order=\"stroke\" stroke=\"white\" stroke-width=\"4\"";
    svg_.text(left ? x - 10 : x + 10, line, text,
              style + halo + (left ? " text-anchor=\"end\"" : ""));
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

  struct Label {
    double begin = 0;
    double end = 0;
    double y = 0;
  };

  const ParetoFront& front_;
  Axis x_;
  Axis y_;
  Svg svg_;
  std::vector<Label> labels_;
  int outside_ = 0;
};

}  // namespace

std::string pareto_picture(const ParetoFront& front) { return Picture(front).draw(); }

}  // namespace lingua
