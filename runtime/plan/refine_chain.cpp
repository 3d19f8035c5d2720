#include <algorithm>
#include <cstdint>

#include "runtime/plan/chain_search.h"
#include "runtime/plan/estimate.h"

namespace lingua {
namespace {

constexpr int kMostVisits = 400'000;
constexpr int kMostEstimates = 4'000;

// Walks through all chains whose value is below the best estimate so far, cheapest device first.
class Refinement {
 public:
  Refinement(const PlanCosts& costs, std::vector<Run> runs)
      : costs_(costs), best_(std::move(runs)), best_value_(estimated_value(costs, best_)) {}

  ChainOptimum run(double bound) {
    for (int header : possible_headers(costs_)) {
      const ChainBounds rest(costs_, header, busiest());
      rest_ = &rest;
      chain_ = {{header, 0, 0}};
      used_.assign(costs_.devices(), false);
      used_[header] = true;
      if (rest.value() < target()) extend(0, 0);
    }
    return {std::move(best_), complete_ ? best_value_ : bound, complete_};
  }

 private:
  double target() const { return best_value_ * (1 - kSameValue); }
  double busiest() const {
    return costs_.request().objective == Objective::kThroughput ? best_value_ : kNoLimit;
  }

  bool within_limits() {
    if (++visits_ > kMostVisits || estimates_ > kMostEstimates) complete_ = false;
    return complete_;
  }

  // Tries all ends of the last run of the chain and what can follow.
  void extend(double latency, double medium) {
    if (!within_limits()) return;
    const Run start = chain_.back();
    for (Run run = start; run.last < costs_.segments(); ++run.last) {
      const double compute = costs_.compute(run);
      if (!costs_.fits(run) || compute > busiest()) break;
      chain_.back() = run;
      if (run.last + 1 == costs_.segments()) {
        finish(latency + compute, medium);
      } else {
        hand_over(run, latency + compute, medium);
      }
      if (!complete_) break;
    }
    chain_.back() = start;
  }

  void hand_over(const Run& run, double latency, double medium) {
    const int cut = run.last + 1;
    std::vector<std::pair<double, int>> next;  // by the bound on the whole chain
    for (int device = 0; device < costs_.devices(); ++device) {
      if (used_[device] || costs_.busy(run.device, device, run.first, cut) > busiest()) continue;
      const double value =
          chain_value(costs_,
                      latency + costs_.transfer(run.device, device, run.first, cut) +
                          rest_->latency(cut, device),
                      medium + costs_.medium(run.first, cut) + rest_->medium(cut, device));
      if (value < target()) next.emplace_back(value, device);
    }
    std::sort(next.begin(), next.end());
    for (const auto& [value, device] : next) {
      if (value >= target()) return;
      used_[device] = true;
      chain_.push_back({device, cut, cut});
      extend(latency + costs_.transfer(run.device, device, run.first, cut),
             medium + costs_.medium(run.first, cut));
      chain_.pop_back();
      used_[device] = false;
    }
  }

  void finish(double latency, double medium) {
    const int header = chain_.front().device;
    const int tailer = chain_.back().device;
    const double value = chain_value(costs_, latency + costs_.answer(tailer, header),
                                     medium + costs_.answer_medium(tailer, header));
    if (value >= target() || costs_.answer_busy(tailer, header) > busiest()) return;
    ++estimates_;
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
};

}  // namespace

double estimated_value(const PlanCosts& costs, const std::vector<Run>& runs) {
  const PlanRequest& request = costs.request();
  Plan plan;
  plan.stages = costs.stages(runs);
  plan.transfers = transfers_of(*request.segmentation, plan.stages);
  const Estimate truth = estimate(plan, *request.segmentation, *request.cluster, request.workload);
  if (request.objective == Objective::kLatency) return truth.latency_s;
  return std::max(truth.bottleneck_s, truth.latency_s / request.workload.in_flight);
}

ChainOptimum refine_chain(const PlanCosts& costs, ChainOptimum optimum) {
  const double value = estimated_value(costs, optimum.runs);
  if (!costs.chained() || value * (1 - kSameValue) <= optimum.bound) return optimum;
  return Refinement(costs, std::move(optimum.runs)).run(optimum.bound);
}

}  // namespace lingua
