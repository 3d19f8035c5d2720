#pragma once
// What one side of a sweep gains over another: ratios of points that are the same but for what is compared.
//
// A comparison names the columns that tell its two sides apart, with a value of each for either. All other columns
// that the axes set must be equal in the two points of a pair, so that nothing else differs.
// Order: pairs as the rows of side `of`; values of a column as they come first in the pairs.
// Threads: pure functions of values. Units: ratios, of a result of which more is better.

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/report/result_table.h"

namespace lingua {

using ColumnValues = std::vector<std::pair<std::string, ResultValue>>;  // a column and its value

struct Comparison {
  std::string name = {};
  std::string arm = {};  // whose system side `of` is: published, ours or field
  ColumnValues of = {};
  ColumnValues over = {};  // the same columns
};

struct PointPair {
  std::vector<ResultValue> values = {};  // of ComparedPoints::columns
  std::optional<double> of = {};         // nothing: the point failed
  std::optional<double> over = {};

  // Nothing where a side failed.
  std::optional<double> ratio() const;
};

struct ComparedPoints {
  std::vector<std::string> columns = {};  // that are equal in the points of a pair
  std::vector<PointPair> pairs = {};

  // Errors: InputError that names the columns there are.
  std::size_t column(const std::string& name) const;
};

// Whether each side has a row: a part of a sweep may lack them.
// Errors: InputError where a column is not there.
bool has_sides(const ResultTable& table, const Comparison& comparison);

// A row without a partner, which the sweep left out, is in no pair.
// Errors: InputError where a column or a value is not there, or nothing is in pairs: it says what there is.
ComparedPoints compare_points(const ResultTable& table, const Comparison& comparison,
                              const std::string& result);

// A column that says of each value of another what kind it is: {"wifi", "cluster", {{"good", "drawn:*:good"}}}.
struct ColumnGroups {
  std::string name = {};
  std::string of = {};
  // A kind, and what its values look like, as a shell matches file names; the first that matches counts.
  std::vector<std::pair<std::string, std::string>> kinds = {};
};

// Adds the column. Nothing where `of` is no column of the pairs. Errors: InputError for a value of no kind.
void add_groups(const ColumnGroups& groups, ComparedPoints& points);

struct RatioRange {
  double low = 0;
  double high = 0;
  bool has(double ratio) const { return low <= ratio && ratio <= high; }
};

struct RatioSummary {
  std::size_t pairs = 0;      // that have a ratio
  std::size_t of_failed = 0;  // pairs of which this side alone has none
  std::size_t over_failed = 0;
  std::size_t both_failed = 0;
  // All 0 where no pair has a ratio.
  double least = 0;
  double median = 0;
  double most = 0;
  double geometric_mean = 0;
  std::size_t within = 0;  // of pairs: in the range, where there is one

  std::size_t failed() const { return of_failed + over_failed + both_failed; }
};

RatioSummary summarise_ratios(const std::vector<PointPair>& pairs,
                              const std::optional<RatioRange>& range);

struct ValueSummary {
  ResultValue value = {};
  RatioSummary summary = {};
};

// One for each value of the column.
std::vector<ValueSummary> summaries_by(const ComparedPoints& points, const std::string& column,
                                       const std::optional<RatioRange>& range);

// Whether ratios grow along a column: over pairs that differ in it alone, by neighbours of its values that both have
// a ratio.
struct RatioGrowth {
  std::size_t steps = 0;
  std::size_t grown = 0;  // where the later value has the larger ratio
};

RatioGrowth growth_along(const ComparedPoints& points, const std::string& column);

}  // namespace lingua
