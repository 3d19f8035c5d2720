#pragma once
// What samples say of the mean and the spread of what they were drawn from.
//
// Units: those of the samples. Threads: any.
// Source: Student, The probable error of a mean, Biometrika 1908; the incomplete beta function by its
// continued fraction (NIST Digital Library of Mathematical Functions, 8.17.22) evaluated by Lentz's method;
// quantiles as Hyndman and Fan, Sample quantiles in statistical packages, 1996, definition 7; boxes as
// Tukey, Exploratory data analysis, 1977.

#include <cstddef>
#include <optional>
#include <vector>

namespace lingua {

struct Summary {
  std::size_t count = 0;
  double mean = 0;
  // Of the sample (divided by count - 1); nothing for one value.
  std::optional<double> deviation;
  // The mean lies within this of the true one in 95 % of such samples, where they are normal and
  // independent; nothing for one value.
  std::optional<double> half_interval;
};

// REQUIRES: at least one value, all finite.
Summary summarise(const std::vector<double>& values);

// The t below which a share `probability` of Student's distribution lies; relative error below 1e-8.
// REQUIRES: 0 < probability < 1, degrees > 0.
double student_t_quantile(double probability, double degrees);

// I_x(a, b). REQUIRES: a, b > 0, 0 <= x <= 1.
double incomplete_beta(double a, double b, double x);

// Between neighbours linearly. REQUIRES: values ascend and are not empty, 0 <= share <= 1.
double quantile_of_sorted(const std::vector<double>& values, double share);

struct Box {
  double low = 0;  // the smallest value within 1.5 times the box's length below it
  double first_quartile = 0;
  double median = 0;
  double third_quartile = 0;
  double high = 0;
  std::vector<double> outliers;  // beyond low and high, ascending
};

// REQUIRES: at least one value, all finite.
Box box_of(std::vector<double> values);

}  // namespace lingua
