#include "runtime/report/ticks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace lingua {
namespace {

constexpr const char* kMinus = "\xe2\x88\x92";

std::string with_minus(const std::string& text) {
  return text.starts_with('-') ? kMinus + text.substr(1) : text;
}

// The shortest that reads as the same value to six digits.
std::string short_number(double value) { return fmt::format("{:.6g}", value); }

std::string with_prefix(double value) {
  constexpr std::pair<double, const char*> kPrefixes[] = {
      {1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}};
  for (const auto& [size, name] : kPrefixes)
    if (std::abs(value) >= size) return short_number(value / size) + name;
  return short_number(value);
}

bool equally_apart(const std::vector<double>& ticks) {
  for (std::size_t i = 2; i < ticks.size(); ++i) {
    const double difference = (ticks[i] - ticks[i - 1]) - (ticks[1] - ticks[0]);
    if (std::abs(difference) > 1e-6 * std::abs(ticks[1] - ticks[0])) return false;
  }
  return ticks.size() > 1;
}

}  // namespace

double round_step(double step) {
  const double power = std::pow(10, std::floor(std::log10(step)));
  const double rest = step / power;
  return power * (rest < 1.5 ? 1 : rest < 3.5 ? 2 : rest < 7.5 ? 5 : 10);
}

std::vector<double> linear_ticks(double low, double high, int most) {
  double step = round_step((high - low) / most);
  const auto count = [&] { return std::floor(high / step) - std::ceil(low / step) + 1; };
  while (count() > most) step = round_step(step * 2.1);
  std::vector<double> ticks;
  const double slack = 1e-9 * (high - low) / step;
  for (double n = std::ceil(low / step - slack); n <= high / step + slack; ++n)
    ticks.push_back(n == 0 ? 0 : n * step);
  return ticks;
}

std::vector<double> log_marks(double low, double high) {
  std::vector<double> marks;
  for (double power = std::floor(std::log10(low)); power <= std::log10(high); ++power) {
    for (int digit = 1; digit < 10; ++digit) {
      const double mark = digit * std::pow(10, power);
      if (mark >= low * (1 - 1e-9) && mark <= high * (1 + 1e-9)) marks.push_back(mark);
    }
  }
  return marks;
}

std::vector<double> log_ticks(double low, double high, int most) {
  const auto some = [&](auto wanted) {
    std::vector<double> ticks;
    for (double mark : log_marks(low, high)) {
      const double power = std::floor(std::log10(mark) + 1e-9);
      if (wanted(static_cast<int>(std::lround(mark / std::pow(10, power))),
                 static_cast<int>(power)))
        ticks.push_back(mark);
    }
    return ticks;
  };
  const auto fits = [&](const std::vector<double>& ticks) {
    return ticks.size() <= static_cast<std::size_t>(most);
  };
  std::vector<double> ticks = some([](int d, int) { return d == 1 || d == 2 || d == 5; });
  if (ticks.size() < 2) return linear_ticks(low, high, most);
  if (fits(ticks)) return ticks;
  for (int every = 1;; ++every) {
    ticks = some([&](int d, int power) { return d == 1 && power % every == 0; });
    if (fits(ticks)) return ticks;
  }
}

std::vector<std::string> tick_texts(const std::vector<double>& ticks) {
  double largest = 0;
  for (double tick : ticks) largest = std::max(largest, std::abs(tick));
  const double step = equally_apart(ticks) ? ticks[1] - ticks[0] : 0;
  const int decimals =
      step == 0 ? 0 : std::clamp(static_cast<int>(std::ceil(-std::log10(step) - 1e-6)), 0, 20);
  std::vector<std::string> texts;
  for (double tick : ticks) {
    const bool plain = largest < 1e5 && largest >= 1e-3;
    std::string text = largest >= 1e5      ? with_prefix(tick)
                       : plain && step > 0 ? fmt::format("{:.{}f}", tick, decimals)
                                           : short_number(tick);
    texts.push_back(with_minus(text));
  }
  return texts;
}

}  // namespace lingua
