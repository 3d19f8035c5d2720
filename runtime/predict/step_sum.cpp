#include "runtime/predict/step_sum.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace lingua {
namespace {

using StepQuantity = std::function<double(const Step&)>;

constexpr std::size_t kDirect = 12;   // fewer steps than this are simply added up
constexpr double kAgreement = 1e-11;  // relative, at the points that check the fit

// The sum over steps[first .. first + count).
double sum_range(const std::vector<Step>& steps, const StepQuantity& f, std::size_t first,
                 std::size_t count) {
  if (count <= kDirect) {
    double sum = 0;
    for (std::size_t k = first; k < first + count; ++k) sum += f(steps[k]);
    return sum;
  }
  const auto sample = [&](std::size_t offset) { return f(steps[first + offset]); };
  const auto last = static_cast<double>(count - 1);
  const std::size_t middle_offset = count / 2;
  const auto middle = static_cast<double>(middle_offset);
  const double at_first = sample(0);
  const double at_middle = sample(middle_offset);
  const double at_last = sample(count - 1);
  // The quadratic c0 + c1 t + c2 t^2 through the three.
  const double slope_middle = (at_middle - at_first) / middle;
  const double slope_last = (at_last - at_first) / last;
  const double c2 = (slope_last - slope_middle) / (last - middle);
  const double c1 = slope_middle - c2 * middle;
  const double scale = std::max({std::abs(at_first), std::abs(at_middle), std::abs(at_last)});
  const auto agrees = [&](std::size_t offset) {
    const auto t = static_cast<double>(offset);
    return std::abs(at_first + (c1 + c2 * t) * t - sample(offset)) <= kAgreement * scale;
  };
  if (agrees(count / 4) && agrees(middle_offset + count / 4)) {
    const double n = last + 1;
    return at_first * n + c1 * n * last / 2 + c2 * last * n * (2 * n - 1) / 6;
  }
  return sum_range(steps, f, first, middle_offset) +
         sum_range(steps, f, first + middle_offset, count - middle_offset);
}

}  // namespace

double sum_over_steps(const std::vector<Step>& steps, const StepQuantity& f) {
  // The prefill stands apart: the steps after it are one family in the step's number.
  return f(steps.front()) + sum_range(steps, f, 1, steps.size() - 1);
}

}  // namespace lingua
