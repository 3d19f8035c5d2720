#include "runtime/report/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/base/errors.h"

namespace lingua {
namespace {

constexpr double kTiny = 1e-300;

// The factor after the front of I_x(a, b); converges fast for x < (a + 1) / (a + b + 2).
double beta_fraction(double a, double b, double x) {
  constexpr int kMost = 100000;
  const auto away_from_zero = [](double v) { return std::abs(v) < kTiny ? kTiny : v; };
  double c = 1;
  double d = 1 / away_from_zero(1 - (a + b) * x / (a + 1));
  double result = d;
  for (int m = 1; m <= kMost; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / away_from_zero(1 + even * d);
    c = away_from_zero(1 + even / c);
    result *= d * c;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away_from_zero(1 + odd * d);
    c = away_from_zero(1 + odd / c);
    result *= d * c;
    if (std::abs(d * c - 1) < 1e-16) break;
  }
  return result;
}

// The share of Student's distribution above t >= 0.
double share_above(double t, double degrees) {
  return 0.5 * incomplete_beta(degrees / 2, 0.5, degrees / (degrees + t * t));
}

double density(double t, double degrees) {
  constexpr double kPi = 3.14159265358979323846;
  return std::exp(std::lgamma((degrees + 1) / 2) - std::lgamma(degrees / 2) -
                  0.5 * std::log(degrees * kPi) - (degrees + 1) / 2 * std::log1p(t * t / degrees));
}

}  // namespace

double incomplete_beta(double a, double b, double x) {
  LINGUA_CHECK(a > 0 && b > 0 && x >= 0 && x <= 1, "I_{}({}, {})", x, a, b);
  if (x == 0 || x == 1) return x;
  const double front = std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) +
                                a * std::log(x) + b * std::log1p(-x));
  if (x < (a + 1) / (a + b + 2)) return front * beta_fraction(a, b, x) / a;
  return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

double student_t_quantile(double probability, double degrees) {
  LINGUA_CHECK(probability > 0 && probability < 1 && degrees > 0, "t of {} with {} degrees",
               probability, degrees);
  if (probability == 0.5) return 0;
  if (probability < 0.5) return -student_t_quantile(1 - probability, degrees);
  const double above = 1 - probability;
  double low = 0;
  double high = 1;
  while (share_above(high, degrees) > above && high < 1e150) {
    low = high;
    high *= 2;
  }
  // Newton's steps, halving the bounds where one would leave them.
  double t = (low + high) / 2;
  for (int i = 0; i < 200; ++i) {
    const double excess = share_above(t, degrees) - above;
    (excess > 0 ? low : high) = t;
    double next = t + excess / density(t, degrees);
    if (!(next > low && next < high)) next = (low + high) / 2;
    if (std::abs(next - t) <= 1e-14 * t) return next;
    t = next;
  }
  return t;
}

Summary summarise(const std::vector<double>& values) {
  LINGUA_CHECK(!values.empty(), "no values");
  Summary summary;
  summary.count = values.size();
  const double count = static_cast<double>(values.size());
  double sum = 0;
  for (double value : values) sum += value / count;
  summary.mean = sum;
  if (values.size() == 1) return summary;
  double squares = 0;
  for (double value : values) squares += (value - sum) * (value - sum);
  summary.deviation = std::sqrt(squares / (count - 1));
  summary.half_interval =
      student_t_quantile(0.975, count - 1) * *summary.deviation / std::sqrt(count);
  return summary;
}

double quantile_of_sorted(const std::vector<double>& values, double share) {
  LINGUA_CHECK(!values.empty() && share >= 0 && share <= 1, "share {} of {} values", share,
               values.size());
  const double at = share * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  if (below + 1 == values.size()) return values[below];
  return values[below] + (at - static_cast<double>(below)) * (values[below + 1] - values[below]);
}

Box box_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  Box box;
  box.first_quartile = quantile_of_sorted(values, 0.25);
  box.median = quantile_of_sorted(values, 0.5);
  box.third_quartile = quantile_of_sorted(values, 0.75);
  const double reach = 1.5 * (box.third_quartile - box.first_quartile);
  box.low = std::numeric_limits<double>::infinity();
  box.high = -box.low;
  for (double value : values) {
    if (value < box.first_quartile - reach || value > box.third_quartile + reach) {
      box.outliers.push_back(value);
      continue;
    }
    box.low = std::min(box.low, value);
    box.high = std::max(box.high, value);
  }
  return box;
}

}  // namespace lingua
