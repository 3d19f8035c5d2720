#include "runtime/planner/search/optimise_chain.h"

#include <algorithm>

#include "runtime/planner/search/chain_bounds.h"

namespace lingua {
namespace {

// Every time that a device or link can be busy for in some chain, within (low, high), ascending,
// with `low` before them.
std::vector<double> busy_times(const PlanCosts& costs, double low, double high) {
  std::vector<double> times = {low};
  const auto add = [&](double time) {
    if (time > low && time < high) times.push_back(time);
  };
  for (int device = 0; device < costs.devices(); ++device) {
    for (int first = 0; first < costs.segments(); ++first) {
      for (int last = first; last < costs.segments(); ++last) {
        const Run run{device, first, last};
        if (!costs.fits(run)) break;
        add(costs.compute(run));
      }
    }
    for (int to = 0; to < costs.devices(); ++to) {
      if (to == device) continue;
      const int end = costs.segments();
      for (int start = end - 1; start >= 0; start = costs.same_answer(start) - 1) {
        add(costs.answer_busy({device, start, end - 1}, to));
      }
      for (int cut = 1; cut < costs.segments(); ++cut) {
        for (int start = cut - 1; start >= 0; start = costs.same_message(start, cut) - 1) {
          add(costs.busy(device, to, start, cut));
        }
      }
    }
  }
  std::sort(times.begin(), times.end());
  times.erase(std::unique(times.begin(), times.end()), times.end());
  return times;
}

// 0 when the time is over: no bound.
double relaxed_value(const PlanCosts& costs, double busiest) {
  double value = kNoLimit;
  for (int header : possible_headers(costs)) {
    if (costs.out_of_time()) return 0;
    value = std::min(value, ChainBounds(costs, header, busiest).value());
  }
  return value;
}

// For throughput alone: finds the least T for which some chain within T has a value of at most T, worth
// as much. Chains within times[k] are chains within times[k + 1], so each answer closes one side.
class BottleneckSearch {
 public:
  BottleneckSearch(const PlanCosts& costs, const ChainSolver& solver, std::vector<Run> runs)
      : costs_(costs), solver_(solver), runs_(std::move(runs)), best_(costs.objective(runs_)) {}

  ChainOptimum run(double low) {
    times_ = busy_times(costs_, low / costs_.busy_price(), best_ / costs_.busy_price());
    bool reached_before = false;
    std::size_t probe = first_hopeful();
    for (std::size_t step = 1; open() > 0; step *= 2) {
      probe = std::clamp(probe, closed_, closed_ + open() - 1);
      const bool reached = try_at(times_[probe]);
      if (stopped_) break;
      if (!reached) closed_ = probe + 1;
      if (reached && step == 1) {
        probe = closed_ + open();  // as good as the relaxation: most likely nothing is below
      } else if (reached || reached_before) {
        probe = closed_ + open() / 2;
      } else {
        probe += step;
      }
      reached_before = reached_before || reached;
    }
    const double bound =
        open() > 0 ? std::min(best_, costs_.busy_price() * times_[closed_]) : best_;
    return {std::move(runs_), bound, !stopped_};
  }

 private:
  // Candidates that could still lead to something better.
  std::size_t open() const {
    const auto begin = times_.begin() + static_cast<std::ptrdiff_t>(closed_);
    return static_cast<std::size_t>(
        std::lower_bound(begin, times_.end(), best_ / costs_.busy_price() * (1 - kSameValue)) -
        begin);
  }

  // The first T at which even the relaxation stays within T; most often the answer is near it.
  std::size_t first_hopeful() const {
    return static_cast<std::size_t>(std::partition_point(times_.begin(), times_.end(),
                                                         [&](double time) {
                                                           return relaxed_value(costs_, time) >
                                                                  costs_.busy_price() * time;
                                                         }) -
                                    times_.begin());
  }

  // Returns true when a chain within `time` has a value of at most `time`: better ones have less.
  bool try_at(double time) {
    ChainResult result = solver_({time, best_ * (1 - kSameValue)});
    stopped_ = !result.exact;
    if (!result.runs) return false;
    const double objective = costs_.objective(*result.runs);
    if (objective < best_) {
      best_ = objective;
      runs_ = std::move(*result.runs);
    }
    return objective <= costs_.busy_price() * time;
  }

  const PlanCosts& costs_;
  const ChainSolver& solver_;
  std::vector<Run> runs_;
  double best_;
  std::vector<double> times_;
  std::size_t closed_ = 0;  // candidates before this one lead to nothing better
  bool stopped_ = false;
};

// For throughput weighed against other goals: from the cheapest chain on, ever less busy ones, until none
// is cheaper than the best so far. Good, not proven: `bound` stays that of the price. Once is enough: an
// incumbent comes from here, by a narrow search.
ChainOptimum less_and_less_busy(const PlanCosts& costs, const ChainSolver& solver,
                                ChainOptimum best) {
  std::vector<Run> runs = best.runs;
  double value = costs.objective(runs);
  while (!costs.out_of_time()) {
    const double busiest = costs.busiest(runs) * (1 - kSameValue);
    const ChainResult result = solver({busiest, value * (1 - kSameValue)});
    if (!result.runs) return best;
    runs = *result.runs;
    const double next = costs.objective(runs);
    if (next >= value) continue;
    value = next;
    best.runs = runs;
  }
  return best;
}

}  // namespace

ChainOptimum optimise_chain(const PlanCosts& costs, const ChainSolver& solver,
                            const std::vector<Run>& incumbent) {
  ChainOptimum best{incumbent, relaxed_value(costs, kNoLimit), true};
  if (best.bound == kNoLimit) return {{}, kNoLimit, true};
  const double cutoff =
      incumbent.empty() ? kNoLimit : costs.price(incumbent).value() * (1 - kSameValue);
  const bool only_throughput = costs.request().objective.is_throughput();
  if (!only_throughput || incumbent.empty()) {
    ChainResult result = solver({kNoLimit, cutoff});
    best.exact = result.exact;
    if (!result.exact) best.bound = std::max(best.bound, result.bound);
    if (!result.runs && incumbent.empty()) return best;
    const std::vector<Run>& cheapest = result.runs ? *result.runs : incumbent;
    if (result.exact) best.bound = costs.price(cheapest).value();
    if (incumbent.empty() || costs.objective(cheapest) < costs.objective(incumbent))
      best.runs = cheapest;
    if (!result.exact) return best;
  }
  if (costs.busy_price() == 0) return best;
  if (!only_throughput) {
    return incumbent.empty() ? less_and_less_busy(costs, solver, std::move(best)) : best;
  }
  return BottleneckSearch(costs, solver, std::move(best.runs)).run(best.bound);
}

}  // namespace lingua
