#include "runtime/planner/search/branch_and_bound.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "runtime/planner/search/chain_bounds.h"
#include "runtime/predict/estimated_value.h"

namespace lingua {
namespace {

constexpr int kMostVisits = 400'000;
constexpr int kMostEstimates = 4'000;
constexpr int kMostPlayedSteps = 4'000'000;

// Walks through all chains whose value is below the best estimate so far, cheapest device first.
// Where there are too many of them, some for other goals and none for throughput: playing requests takes
// its time, and an order by what bounds them promises little.
class Refinement {
 public:
  Refinement(const PlanCosts& costs, std::vector<Run> runs)
      : costs_(costs), best_(std::move(runs)), best_value_(estimated_value(costs, best_)) {}

  // Few enough chains to try them all.
  bool can_finish() {
    counting_ = true;
    walk();
    counting_ = false;
    visits_ = 0;
    estimates_ = 0;
    return std::exchange(complete_, true);
  }

  ChainOptimum run(double bound) {
    if (plays_requests()) complete_ = can_finish();
    if (complete_) walk();
    return {std::move(best_), complete_ ? best_value_ : bound, complete_};
  }

 private:
  void walk() {
    for (int header : possible_headers(costs_)) {
      const ChainBounds rest(costs_, header, busiest());
      rest_ = &rest;
      chain_ = {{header, 0, 0}};
      used_.assign(costs_.devices(), false);
      used_[header] = true;
      if (rest.value() < target()) extend({});
    }
  }

  bool plays_requests() const { return costs_.busy_price() > 0; }
  // Bounds are for the cluster as it stands: a mean over variants can lie below them by their share.
  double slack() const {
    const Variants* variants = costs_.request().variants;
    return variants == nullptr ? 1 : 1 + variants->share;
  }
  double target() const { return slack() * best_value_ * (1 - kSameValue); }
  double busiest() const {
    return plays_requests() ? slack() * best_value_ / costs_.busy_price() : kNoLimit;
  }

  bool within_limits() {
    if (++visits_ > kMostVisits || estimates_ > most_estimates()) complete_ = false;
    if (visits_ % 1024 == 0 && costs_.out_of_time()) complete_ = false;
    return complete_;
  }

  double most_estimates() const {
    if (!plays_requests()) return kMostEstimates;
    const Workload& workload = costs_.request().workload;
    return kMostPlayedSteps / (static_cast<double>(steps_of(workload).size()) *
                               workload.total_requests() * costs_.devices());
  }

  // Tries all ends of the last run of the chain and what can follow.
  void extend(const Price& before) {
    if (!within_limits()) return;
    const Run start = chain_.back();
    for (Run run = start; run.last < costs_.segments(); ++run.last) {
      if (!costs_.fits(run) || costs_.compute(run) > busiest()) break;
      if (!costs_.allowed(run)) continue;
      chain_.back() = run;
      const Price price = before + costs_.price(run);
      if (run.last + 1 == costs_.segments()) {
        finish(price);
      } else {
        hand_over(run, price);
      }
      if (!complete_) break;
    }
    chain_.back() = start;
  }

  void hand_over(const Run& run, const Price& before) {
    const int cut = run.last + 1;
    std::vector<std::pair<double, int>> next;  // by the bound on the whole chain
    for (int device = 0; device < costs_.devices(); ++device) {
      if (used_[device] || costs_.busy(run.device, device, run.first, cut) > busiest()) continue;
      const double value = (before + costs_.transfer_price(run.device, device, run.first, cut) +
                            rest_->price(cut, device))
                               .value();
      if (value < target()) next.emplace_back(value, device);
    }
    std::sort(next.begin(), next.end());
    for (const auto& [value, device] : next) {
      if (value >= target()) return;
      used_[device] = true;
      chain_.push_back({device, cut, cut});
      extend(before + costs_.transfer_price(run.device, device, run.first, cut));
      chain_.pop_back();
      used_[device] = false;
    }
  }

  void finish(const Price& before) {
    const int header = chain_.front().device;
    const Run& last = chain_.back();
    const double value = (before + costs_.answer_price(last, header)).value();
    if (value >= target() || costs_.answer_busy(last, header) > busiest()) return;
    ++estimates_;
    if (counting_) return;
    if (costs_.out_of_time()) {
      complete_ = false;
      return;
    }
    const double truth = estimated_value(costs_, chain_);
    if (truth >= best_value_) return;
    best_value_ = truth;
    best_ = chain_;
  }

  const PlanCosts& costs_;
  std::vector<Run> best_;
  double best_value_;
  const ChainBounds* rest_ = nullptr;
  std::vector<Run> chain_;
  std::vector<bool> used_;
  int visits_ = 0;
  int estimates_ = 0;
  bool complete_ = true;
  bool counting_ = false;
};

}  // namespace

ChainOptimum refine_chain(const PlanCosts& costs, ChainOptimum optimum, const ChainStarts& starts) {
  const double value = estimated_value(costs, optimum.runs);
  const bool proven =
      costs.request().variants == nullptr && value * (1 - kSameValue) <= optimum.bound;
  if (costs.chained() && proven) return optimum;
  if (costs.out_of_time()) return optimum;
  if (costs.busy_price() > 0 && !Refinement(costs, optimum.runs).can_finish()) {
    optimum.runs = improve_chain(costs, optimum.runs, starts);
  }
  return Refinement(costs, std::move(optimum.runs)).run(optimum.bound);
}

}  // namespace lingua
