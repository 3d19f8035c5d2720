#pragma once
// A linear program with integer columns, solved by CBC: minimise the sum of the columns' costs, each column
// between 0 and its own limit, within the rows.
//
// Only where LINGUA_WITH_CBC is on. Threads: one at a time. Output of CBC is silenced.

#include <limits>
#include <vector>

#include "runtime/base/units.h"

namespace lingua {

struct IntegerSolution {
  bool infeasible = false;     // proven: nothing within the rows, or nothing below the cutoff
  bool proven = false;         // the best
  double bound = 0;            // nothing costs less
  int nodes = 0;               // that branch and bound looked at
  std::vector<double> values;  // of the columns; empty when none was found
};

class IntegerProgram {
 public:
  static constexpr double kNoLimit = std::numeric_limits<double>::infinity();
  static constexpr int kNoNodeLimit = std::numeric_limits<int>::max();

  // Each returns the number of what it adds.
  int add_row(double low, double high);
  int add_column(double cost, bool integer, double high);
  int columns() const { return static_cast<int>(costs_.size()); }
  // Of the column added last.
  void entry(int row, double coefficient);

  // Looks for solutions that cost less than the cutoff, in so many nodes of branch and bound; the time limit
  // is an outer guard.
  IntegerSolution solve(Seconds time_limit, double cutoff = kNoLimit,
                        int most_nodes = kNoNodeLimit);

 private:
  std::vector<double> row_low_;
  std::vector<double> row_high_;
  std::vector<int> starts_;  // of each column's entries
  std::vector<int> rows_;
  std::vector<double> coefficients_;
  std::vector<double> costs_;
  std::vector<double> high_;
  std::vector<bool> integer_;
};

}  // namespace lingua
