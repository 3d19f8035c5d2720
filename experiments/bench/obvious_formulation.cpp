#include "experiments/bench/obvious_formulation.h"

#include <coin/Cbc_C_Interface.h>
#include <fmt/format.h>

#include <memory>
#include <vector>

#include "runtime/base/errors.h"

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

  ObviousResult solve(Seconds time_limit) {
    const std::unique_ptr<Cbc_Model, void (*)(Cbc_Model*)> model(Cbc_newModel(), Cbc_deleteModel);
    load(model.get());
    Cbc_setParameter(model.get(), "timeMode", "elapsed");
    Cbc_setParameter(model.get(), "seconds", fmt::format("{:.1f}", time_limit.count()).c_str());
    Cbc_solve(model.get());
    ObviousResult result;
    result.proven = Cbc_isProvenOptimal(model.get()) != 0;
    if (Cbc_bestSolution(model.get()) != nullptr) result.value = Cbc_getObjValue(model.get());
    result.bound = Cbc_getBestPossibleObjValue(model.get());
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
        const double answer = s + 1 == segments_ ? costs_.answer(d, costs_.header()) : 0;
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

  void load(Cbc_Model* model) const {
    std::vector<std::vector<std::pair<int, double>>> by_column(integer_.size());
    for (std::size_t r = 0; r < rows_.size(); ++r) {
      for (std::size_t i = 0; i < rows_[r].columns.size(); ++i)
        by_column[rows_[r].columns[i]].emplace_back(static_cast<int>(r), rows_[r].entries[i]);
    }
    std::vector<CoinBigIndex> starts = {0};
    std::vector<int> rows;
    std::vector<double> entries;
    for (const auto& column : by_column) {
      for (const auto& [row, entry] : column) {
        rows.push_back(row);
        entries.push_back(entry);
      }
      starts.push_back(static_cast<CoinBigIndex>(rows.size()));
    }
    std::vector<double> low(integer_.size(), 0);
    std::vector<double> high(integer_.size(), 1);
    std::vector<double> objective(integer_.size(), 0);
    high[value_] = kNoLimit;
    objective[value_] = 1;
    std::vector<double> row_low;
    std::vector<double> row_high;
    for (const Row& row : rows_) {
      row_low.push_back(row.low);
      row_high.push_back(row.high);
    }
    Cbc_setLogLevel(model, 0);
    Cbc_setParameter(model, "log", "0");
    Cbc_loadProblem(model, static_cast<int>(integer_.size()), static_cast<int>(rows_.size()),
                    starts.data(), rows.data(), entries.data(), low.data(), high.data(),
                    objective.data(), row_low.data(), row_high.data());
    for (std::size_t c = 0; c < integer_.size(); ++c) {
      if (integer_[c]) Cbc_setInteger(model, static_cast<int>(c));
    }
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
