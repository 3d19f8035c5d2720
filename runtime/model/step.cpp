#include "runtime/model/step.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "runtime/base/errors.h"

namespace lingua {
namespace {

std::array<double, 6> monomials(const Step& step) {
  const auto n = static_cast<double>(step.new_tokens);
  const auto p = static_cast<double>(step.cached_tokens);
  return {1, n, p, n * n, n * p, p * p};
}

}  // namespace

double StepFunction::at(const Step& step) const {
  const auto m = monomials(step);
  double sum = 0;
  for (std::size_t i = 0; i < c_.size(); ++i) sum += c_[i] * m[i];
  return sum;
}

bool StepFunction::is_constant() const {
  return std::all_of(c_.begin() + 1, c_.end(), [](double c) { return c == 0; });
}

StepFunction& StepFunction::operator+=(const StepFunction& other) {
  for (std::size_t i = 0; i < c_.size(); ++i) c_[i] += other.c_[i];
  return *this;
}

StepFunction& StepFunction::operator*=(double factor) {
  for (double& c : c_) c *= factor;
  return *this;
}

std::string StepFunction::to_string() const {
  static constexpr std::array kNames = {"", " n", " p", " n^2", " n p", " p^2"};
  std::string text;
  for (std::size_t i = 0; i < c_.size(); ++i) {
    if (c_[i] == 0) continue;
    text += fmt::format("{}{:.6g}{}", text.empty() ? "" : " + ", c_[i], kNames[i]);
  }
  return text.empty() ? "0" : text;
}

StepFunction operator+(StepFunction a, const StepFunction& b) { return a += b; }
StepFunction operator*(StepFunction a, double factor) { return a *= factor; }

const std::vector<Step>& fit_steps() {
  // 2 <= n so that no dimension is 1 by accident and broadcast away; the first six determine the
  // coefficients, the rest check them. p = 0 stands among the checks: a prefill must fit as well.
  static const std::vector<Step> steps = {{2, 3},  {3, 3},  {5, 3}, {2, 7}, {5, 7},
                                          {2, 13}, {7, 11}, {4, 0}, {1, 6}};
  return steps;
}

bool fit(const std::vector<double>& samples, StepFunction* function) {
  const auto& steps = fit_steps();
  LINGUA_CHECK(samples.size() == steps.size());
  constexpr int kUnknowns = 6;
  std::array<std::array<double, kUnknowns + 1>, kUnknowns> rows{};
  for (int r = 0; r < kUnknowns; ++r) {
    const auto m = monomials(steps[r]);
    std::copy(m.begin(), m.end(), rows[r].begin());
    rows[r][kUnknowns] = samples[r];
  }
  for (int column = 0; column < kUnknowns; ++column) {  // Gauss-Jordan with partial pivoting
    int pivot = column;
    for (int r = column + 1; r < kUnknowns; ++r) {
      if (std::abs(rows[r][column]) > std::abs(rows[pivot][column])) pivot = r;
    }
    std::swap(rows[column], rows[pivot]);
    LINGUA_CHECK(std::abs(rows[column][column]) > 1e-9, "fit_steps() is degenerate");
    for (int r = 0; r < kUnknowns; ++r) {
      if (r == column) continue;
      const double factor = rows[r][column] / rows[column][column];
      for (int k = column; k <= kUnknowns; ++k) rows[r][k] -= factor * rows[column][k];
    }
  }
  double scale = 1;
  for (double sample : samples) scale = std::max(scale, std::abs(sample));
  std::array<double, 6> c{};
  for (int i = 0; i < kUnknowns; ++i) {
    const double value = rows[i][kUnknowns] / rows[i][i];
    const double rounded = std::round(value * 2) / 2;
    c[i] = std::abs(value - rounded) < 1e-6 * std::max(1.0, std::abs(value)) + 1e-9 * scale
               ? rounded
               : value;
  }
  *function = StepFunction(c);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (std::abs(function->at(steps[i]) - samples[i]) > 1e-6 * scale) return false;
  }
  return true;
}

}  // namespace lingua
