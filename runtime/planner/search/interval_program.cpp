#include "runtime/planner/search/interval_program.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "runtime/base/errors.h"
#include "runtime/planner/search/chain_bounds.h"
#include "runtime/planner/search/chain_candidates.h"
#include "runtime/planner/search/integer_program.h"

namespace lingua {
namespace {

constexpr double kScale = 1000;  // objectives are brought near this: CBC's tolerances are absolute

// The interval formulation: a binary for each run, a share for each handover and each answer. The
// flow in and out of a cut and the header's run fix the shares once the runs are chosen.
class Formulation {
 public:
  Formulation(const PlanCosts& costs, const ChainLimits& limits, double scale)
      : costs_(costs), scale_(scale), candidates_(chain_candidates(costs, limits)) {
    first_run_ = program_.add_row(1, 1);
    for (int d = 0; d < costs.devices(); ++d)
      device_rows_.push_back(program_.add_row(-kNoLimit, 1));
    if (costs.weighs_medium()) {
      cost_row_ = program_.add_row(0, kNoLimit);
      medium_row_ = program_.add_row(0, kNoLimit);
    }
    add_handover_rows();
    add_answer_rows();
    for (const Run& run : candidates_.runs) add_run(run);
    for (const Handover& handover : candidates_.handovers) add_handover(handover);
    add_answers(limits.busiest);
    if (costs.weighs_medium()) {
      program_.add_column(1, false, kNoLimit);
      program_.entry(cost_row_, 1);
      program_.entry(medium_row_, 1);
    }
  }

  bool empty() const { return candidates_.runs.empty(); }
  IntegerProgram& program() { return program_; }

  // The chain that a solution stands for.
  std::vector<Run> chain(const std::vector<double>& solution) const {
    std::vector<Run> chosen;
    for (std::size_t r = 0; r < candidates_.runs.size(); ++r) {
      if (solution[r] > 0.5) chosen.push_back(candidates_.runs[r]);
    }
    std::sort(chosen.begin(), chosen.end(),
              [](const Run& a, const Run& b) { return a.first < b.first; });
    int next = 0;
    for (const Run& run : chosen) {
      LINGUA_CHECK(run.first == next, "CBC's solution is no chain at segment {}", next);
      next = run.last + 1;
    }
    LINGUA_CHECK(next == costs_.segments(), "CBC's solution ends at segment {}", next);
    return chosen;
  }

 private:
  // A column that adds to the price: to what is minimised, or to the two that bound it.
  void add_priced(const Price& price, bool integer) {
    const double cost = scale_ * price.cost;
    program_.add_column(costs_.weighs_medium() ? 0 : cost, integer, 1);
    if (!costs_.weighs_medium()) return;
    program_.entry(cost_row_, -cost);
    if (price.medium > 0) program_.entry(medium_row_, -scale_ * price.medium);
  }

  void add_handover_rows() {
    for (const Handover& handover : candidates_.handovers) {
      const auto sender = std::tuple{handover.cut, handover.start, handover.from};
      if (!senders_.contains(sender)) senders_[sender] = program_.add_row(0, 0);
    }
    for (const Run& run : candidates_.runs) {
      const auto receiver = std::pair{run.first, run.device};
      if (run.first > 0 && !receivers_.contains(receiver))
        receivers_[receiver] = program_.add_row(0, 0);
    }
  }

  void add_answer_rows() {
    if (costs_.header() >= 0) return;
    for (int d = 0; d < costs_.devices(); ++d) header_rows_.push_back(program_.add_row(0, 0));
    for (const Run& run : candidates_.runs) {
      const auto tailer = std::pair{costs_.same_answer(run.first), run.device};
      if (run.last + 1 == costs_.segments() && !tailer_rows_.contains(tailer))
        tailer_rows_[tailer] = program_.add_row(0, 0);
    }
  }

  void add_run(const Run& run) {
    const bool first = run.first == 0;
    const bool last = run.last + 1 == costs_.segments();
    const bool pinned = costs_.header() >= 0;
    const bool answers = last && pinned;
    const Price answer = answers ? costs_.answer_price(run, costs_.header()) : Price{};
    add_priced(costs_.price(run) + answer, true);
    program_.entry(device_rows_[run.device], 1);
    if (first) program_.entry(first_run_, 1);
    if (!first) program_.entry(receivers_.at({run.first, run.device}), -1);
    if (!last) {
      const int cut = run.last + 1;
      program_.entry(senders_.at({cut, costs_.same_message(run.first, cut), run.device}), -1);
    }
    if (pinned || (first && last)) return;  // a lone run answers itself
    if (first) program_.entry(header_rows_[run.device], -1);
    if (last) program_.entry(tailer_rows_.at({costs_.same_answer(run.first), run.device}), -1);
  }

  void add_handover(const Handover& handover) {
    const auto receiver = receivers_.find({handover.cut, handover.to});
    if (receiver == receivers_.end()) return;
    add_priced(costs_.transfer_price(handover.from, handover.to, handover.start, handover.cut),
               false);
    program_.entry(senders_.at({handover.cut, handover.start, handover.from}), 1);
    program_.entry(receiver->second, 1);
  }

  void add_answers(double busiest) {
    if (costs_.header() >= 0) return;
    for (const auto& [tailer, row] : tailer_rows_) {
      const Run last{tailer.second, tailer.first, costs_.segments() - 1};
      for (int header = 0; header < costs_.devices(); ++header) {
        if (last.device == header || costs_.answer_busy(last, header) > busiest) continue;
        add_priced(costs_.answer_price(last, header), false);
        program_.entry(row, 1);
        program_.entry(header_rows_[header], 1);
      }
    }
  }

  const PlanCosts& costs_;
  double scale_;
  ChainCandidates candidates_;
  IntegerProgram program_;
  int first_run_ = 0;
  int cost_row_ = 0;
  int medium_row_ = 0;
  std::vector<int> device_rows_;
  std::vector<int> header_rows_;
  std::map<std::pair<int, int>, int> tailer_rows_;  // by the start of what they send, and device
  std::map<std::tuple<int, int, int>, int> senders_;
  std::map<std::pair<int, int>, int> receivers_;
};

}  // namespace

ChainResult solve_chain_with_cbc(const PlanCosts& costs, const ChainLimits& limits,
                                 Seconds time_limit) {
  if (time_limit.count() <= 0) return {std::nullopt, false, 0};
  double bound = kNoLimit;
  for (int header : possible_headers(costs)) {
    if (costs.out_of_time()) return {std::nullopt, false, 0};
    bound = std::min(bound, ChainBounds(costs, header, limits.busiest).value());
  }
  if (!(bound < limits.cutoff)) return {};
  const double typical = limits.cutoff < kNoLimit ? limits.cutoff : bound;
  const double scale = typical > 0 ? kScale / typical : 1;
  Formulation formulation(costs, limits, scale);
  if (costs.out_of_time()) return {std::nullopt, false, bound};
  if (formulation.empty()) return {};
  const std::int64_t columns = formulation.program().columns();
  const std::int64_t nodes = limits.effort / columns;  // the root is one
  if (nodes < 1) return {std::nullopt, false, bound};
  const IntegerSolution solution = formulation.program().solve(
      time_limit, limits.cutoff < kNoLimit ? kScale : kNoLimit,
      static_cast<int>(std::min<std::int64_t>(nodes, IntegerProgram::kNoNodeLimit)));
  ChainResult result;
  result.effort = columns * std::max(1, solution.nodes);
  if (solution.infeasible) return result;
  result.exact = solution.proven;
  if (!result.exact) result.bound = std::max(bound, solution.bound / scale);
  if (!solution.values.empty()) {
    std::vector<Run> runs = formulation.chain(solution.values);
    if (costs.price(runs).value() < limits.cutoff) result.runs = std::move(runs);
  }
  return result;
}

}  // namespace lingua
