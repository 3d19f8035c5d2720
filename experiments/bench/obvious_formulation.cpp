#include "experiments/bench/obvious_formulation.h"

#include <utility>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/planner/search/integer_program.h"

namespace lingua {
namespace {

struct Row {
  double low = -kNoLimit;
  double high = kNoLimit;
  std::vector<int> columns;
  std::vector<double> entries;

  void add(int column, double entry) {
    columns.push_back(column);
    entries.push_back(entry);
  }
};

class Obvious {
 public:
  explicit Obvious(const PlanCosts& costs)
      : costs_(costs), devices_(costs.devices()), segments_(costs.segments()) {
    LINGUA_CHECK(costs.header() >= 0, "the header must be pinned");
    throughput_ = costs.request().objective == Objective::kThroughput;
    for (int d = 0; d < devices_; ++d) {
      for (int s = 0; s < segments_; ++s) x_.push_back(column(true));
    }
    for (int d = 0; d < devices_; ++d) {
      for (int s = 0; s < segments_; ++s) begins_.push_back(column(false));
    }
    for (int d = 0; d < devices_; ++d) {
      for (int e = 0; e < devices_; ++e) {
        for (int s = 0; s + 1 < segments_; ++s) y_.push_back(d == e ? -1 : column(false));
      }
    }
    assignment_rows();
    run_rows();
    transfer_rows();
    value_rows();
  }

  ObviousResult solve(Seconds time_limit) const {
    const IntegerSolution solution = program().solve(time_limit);
    ObviousResult result{solution.proven, 0, solution.bound};
    if (!solution.values.empty()) result.value = solution.values[value_];
    return result;
  }

 private:
  int column(bool integer) {
    integer_.push_back(integer);
    return static_cast<int>(integer_.size()) - 1;
  }
  int x(int d, int s) const { return x_[static_cast<std::size_t>(d) * segments_ + s]; }
  int begins(int d, int s) const { return begins_[static_cast<std::size_t>(d) * segments_ + s]; }
  int y(int d, int e, int s) const {
    return y_[(static_cast<std::size_t>(d) * devices_ + e) * (segments_ - 1) + s];
  }

  void assignment_rows() {
    for (int s = 0; s < segments_; ++s) {
      Row row{1, 1, {}, {}};
      for (int d = 0; d < devices_; ++d) row.add(x(d, s), 1);
      rows_.push_back(std::move(row));
    }
    rows_.push_back({1, 1, {x(costs_.header(), 0)}, {1}});
    for (int d = 0; d < devices_; ++d) {
      Row row;
      row.high = costs_.request().cluster->devices[d].memory_bytes / 1e9;
      for (int s = 0; s < segments_; ++s) row.add(x(d, s), costs_.memory(s, s) / 1e9);
      rows_.push_back(std::move(row));
    }
  }

  void run_rows() {
    for (int d = 0; d < devices_; ++d) {
      Row once;
      once.high = 1;
      for (int s = 0; s < segments_; ++s) {
        Row row{0, kNoLimit, {begins(d, s), x(d, s)}, {1, -1}};
        if (s > 0) row.add(x(d, s - 1), 1);
        rows_.push_back(std::move(row));
        once.add(begins(d, s), 1);
      }
      rows_.push_back(std::move(once));
    }
  }

  void transfer_rows() {
    for (int d = 0; d < devices_; ++d) {
      for (int e = 0; e < devices_; ++e) {
        if (d == e) continue;
        for (int s = 0; s + 1 < segments_; ++s)
          rows_.push_back({-1, kNoLimit, {y(d, e, s), x(d, s), x(e, s + 1)}, {1, -1, -1}});
      }
    }
  }

  // The latency of a request into a row, times a factor.
  void add_latency(Row& row, double factor) const {
    for (int d = 0; d < devices_; ++d) {
      for (int s = 0; s < segments_; ++s) {
        const double answer = s + 1 == segments_ ? costs_.answer({d, s, s}, costs_.header()) : 0;
        row.add(x(d, s), factor * (costs_.compute({d, s, s}) + answer));
      }
      for (int e = 0; e < devices_; ++e) {
        for (int s = 0; d != e && s + 1 < segments_; ++s)
          row.add(y(d, e, s), factor * costs_.transfer(d, e, 0, s + 1));
      }
    }
  }

  void value_rows() {
    const int value = column(false);
    value_ = value;
    Row latency{0, kNoLimit, {value}, {1}};
    const double overlap = throughput_ ? costs_.request().workload.overlap() : 1;
    add_latency(latency, -1 / overlap);
    rows_.push_back(std::move(latency));
    if (!throughput_) return;
    for (int d = 0; d < devices_; ++d) {
      Row busy{0, kNoLimit, {value}, {1}};
      for (int s = 0; s < segments_; ++s) busy.add(x(d, s), -costs_.compute({d, s, s}));
      rows_.push_back(std::move(busy));
      for (int e = 0; e < devices_; ++e) {
        if (d == e) continue;
        Row link{0, kNoLimit, {value}, {1}};
        for (int s = 0; s + 1 < segments_; ++s) link.add(y(d, e, s), -costs_.busy(d, e, 0, s + 1));
        rows_.push_back(std::move(link));
      }
    }
  }

  IntegerProgram program() const {
    std::vector<std::vector<std::pair<int, double>>> by_column(integer_.size());
    IntegerProgram program;
    for (const Row& row : rows_) {
      const int number = program.add_row(row.low, row.high);
      for (std::size_t i = 0; i < row.columns.size(); ++i)
        by_column[row.columns[i]].emplace_back(number, row.entries[i]);
    }
    for (int c = 0; c < static_cast<int>(integer_.size()); ++c) {
      const bool is_value = c == value_;
      program.add_column(is_value ? 1 : 0, integer_[c], is_value ? kNoLimit : 1);
      for (const auto& [row, entry] : by_column[c]) program.entry(row, entry);
    }
    return program;
  }

  const PlanCosts& costs_;
  int devices_;
  int segments_;
  bool throughput_ = false;
  std::vector<bool> integer_;  // by column
  std::vector<int> x_;
  std::vector<int> begins_;
  std::vector<int> y_;
  int value_ = -1;
  std::vector<Row> rows_;
};

}  // namespace

ObviousResult solve_obvious(const PlanCosts& costs, Seconds time_limit) {
  ObviousResult result = Obvious(costs).solve(time_limit);
  // It counts seconds per request; the objective may count seconds per token.
  const double unit = costs.busy_price() > 0 ? costs.busy_price() : 1;
  result.value *= unit;
  result.bound *= unit;
  return result;
}

}  // namespace lingua
