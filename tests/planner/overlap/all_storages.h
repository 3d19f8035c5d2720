#pragma once
// Every storage of a small problem and every position of its boundaries: the plain meaning of what the
// rules of the secondary plan search.

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <tuple>
#include <vector>

#include "runtime/plan/run_memory.h"
#include "runtime/planner/overlap/secondary_plan.h"
#include "runtime/predict/plan_costs.h"

namespace lingua::testing {

// The plan with other boundaries; each stage keeps all that it has.
inline Plan moved(const Plan& plan, const std::vector<SegmentId>& first_segments) {
  Plan result = plan;
  const SegmentId last = plan.stages.back().last_segment;
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    const Stage& before = plan.stages[s];
    Stage& stage = result.stages[s];
    stage.first_segment = first_segments[s];
    stage.last_segment = s + 1 < plan.stages.size() ? first_segments[s + 1] - 1 : last;
    std::vector<SegmentId> has = before.stored_segments;
    for (SegmentId id = before.first_segment; id <= before.last_segment; ++id) has.push_back(id);
    std::sort(has.begin(), has.end());
    stage.stored_segments.clear();
    for (SegmentId id : has) {
      if (id < stage.first_segment || id > stage.last_segment) stage.stored_segments.push_back(id);
    }
  }
  return result;
}

class AllStorages {
 public:
  AllStorages(const Plan& plan, const PlanRequest& request,
              const std::vector<ScenarioOutcome>& outcomes)
      : plan_(plan), request_(request) {
    if (header_keeps_last(plan_.stages) > 0) {
      kept_ = plan_.stages.back();
      plan_.stages.pop_back();
    }
    for (const ScenarioOutcome& outcome : outcomes) add_scenario(outcome.slow_down);
    spans_.resize(plan_.stages.size());
    for (std::size_t s = 0; s < spans_.size(); ++s) spans_[s] = {first(s), end(s)};
    place(0);
  }

  double best_gain() const { return best_gain_; }
  double best_gain_bytes() const { return best_gain_bytes_; }  // the fewest that give it
  double most_bytes() const { return most_bytes_; }
  double unlimited(std::size_t scenario) const { return scenarios_[scenario].unlimited; }
  double expected_unchanged() const {
    return sum([](const Scenario& scenario) { return scenario.unchanged; });
  }
  double unlimited_gain() const {
    return sum([](const Scenario& scenario) { return scenario.unchanged - scenario.unlimited; });
  }

 private:
  struct Position {
    std::vector<int> starts;
    double value = 0;
  };
  struct Scenario {
    double probability = 0;
    double unchanged = 0;
    double unlimited = 0;
    std::vector<Position> positions;
  };

  int first(std::size_t s) const { return plan_.stages[s].first_segment; }
  int end(std::size_t s) const { return plan_.stages[s].last_segment + 1; }

  double sum(const std::function<double(const Scenario&)>& quantity) const {
    double sum = 0;
    for (const Scenario& scenario : scenarios_) sum += scenario.probability * quantity(scenario);
    return sum;
  }

  void add_scenario(const SlowDown& slow_down) {
    ClusterSpec cluster = *request_.cluster;
    DeviceSpec& device = cluster.devices[cluster.index_of(slow_down.device)];
    device.flops_per_s /= slow_down.factor;
    device.memory_bytes_per_s /= slow_down.factor;
    device.overhead *= slow_down.factor;
    PlanRequest request = request_;
    request.cluster = &cluster;
    const PlanCosts costs(request);
    Scenario scenario{slow_down.probability, 0, kNoLimit, {}};
    std::vector<int> starts = {0};
    add_positions(costs, starts, &scenario);
    scenarios_.push_back(std::move(scenario));
  }

  void add_positions(const PlanCosts& costs, std::vector<int>& starts, Scenario* scenario) {
    if (starts.size() < plan_.stages.size()) {
      const int least =
          starts.size() == 1 ? std::max(1, request_.rules.header_keeps) : starts.back() + 1;
      for (int start = least; start < costs.segments(); ++start) {
        starts.push_back(start);
        add_positions(costs, starts, scenario);
        starts.pop_back();
      }
      return;
    }
    std::vector<Run> runs;
    bool fits = true;
    bool plans_own = true;
    for (std::size_t s = 0; s < starts.size(); ++s) {
      const int next = s + 1 < starts.size() ? starts[s + 1] : costs.segments();
      runs.push_back({request_.cluster->index_of(plan_.stages[s].device), starts[s], next - 1});
      fits = fits && costs.fits(runs.back());
      plans_own = plans_own && starts[s] == first(s);
    }
    const double value = costs.objective(runs);
    scenario->positions.push_back({starts, value});
    scenario->positions.back().starts.push_back(costs.segments());
    if (fits) scenario->unlimited = std::min(scenario->unlimited, value);
    if (plans_own) scenario->unchanged = value;
  }

  // What a stage has anyway.
  RunMemory memory_of(std::size_t s) const {
    RunMemory memory(request_.workload);
    if (s == 0 && kept_) memory.add(*kept_, *request_.segmentation);
    return memory;
  }

  double weights(std::size_t s, int from, int to) const {
    RunMemory memory = memory_of(s);
    for (int id = from; id < to; ++id) memory.store(request_.segmentation->segments[id]);
    return memory.weights_bytes();
  }

  // The stage can run from .. to - 1 beside all that it stores.
  bool holds(std::size_t s, int from, int to) {
    const auto key = std::tuple{s, spans_[s].first, spans_[s].second, from, to};
    const auto known = holds_.find(key);
    if (known != holds_.end()) return known->second;
    RunMemory memory = memory_of(s);
    for (int id = from; id < to; ++id) memory.run(request_.segmentation->segments[id]);
    for (int id = spans_[s].first; id < spans_[s].second; ++id) {
      memory.store(request_.segmentation->segments[id]);
    }
    const bool holds =
        memory.total_bytes() <= request_.cluster->device(plan_.stages[s].device).memory_bytes;
    holds_[key] = holds;
    return holds;
  }

  void place(std::size_t s) {
    if (s == plan_.stages.size()) {
      visit();
      return;
    }
    const int lowest = s > 0 ? first(s - 1) : first(s);
    const int highest = s + 1 < plan_.stages.size() ? end(s + 1) : end(s);
    for (int low = lowest; low <= first(s); ++low) {
      for (int high = end(s); high <= highest; ++high) {
        spans_[s] = {low, high};
        if (holds(s, first(s), end(s))) place(s + 1);
      }
    }
    spans_[s] = {first(s), end(s)};
  }

  bool reachable(const Position& position) {
    for (std::size_t s = 0; s < spans_.size(); ++s) {
      const int from = position.starts[s];
      const int to = position.starts[s + 1];
      if (from < spans_[s].first || to > spans_[s].second || !holds(s, from, to)) return false;
    }
    return true;
  }

  void visit() {
    double gain = 0;
    for (const Scenario& scenario : scenarios_) {
      double value = scenario.unchanged;
      for (const Position& position : scenario.positions) {
        if (position.value < value && reachable(position)) value = position.value;
      }
      gain += scenario.probability * (scenario.unchanged - value);
    }
    double bytes = 0;
    std::vector<int> copies(request_.segmentation->segments.size(), 0);
    for (std::size_t s = 0; s < spans_.size(); ++s) {
      bytes += weights(s, spans_[s].first, spans_[s].second) - weights(s, first(s), end(s));
      for (int id = spans_[s].first; id < spans_[s].second; ++id) ++copies[id];
    }
    const double same = 1e-9 * expected_unchanged();
    if (gain > best_gain_ + same) best_gain_bytes_ = bytes;
    if (gain >= best_gain_ - same) best_gain_bytes_ = std::min(best_gain_bytes_, bytes);
    best_gain_ = std::max(best_gain_, gain);
    if (*std::max_element(copies.begin(), copies.end()) <= 2) {
      most_bytes_ = std::max(most_bytes_, bytes);
    }
  }

  Plan plan_;                  // without the last stage of a header at both ends
  std::optional<Stage> kept_;  // which it is
  const PlanRequest& request_;
  std::vector<Scenario> scenarios_;
  std::vector<std::pair<int, int>> spans_;  // what each stage runs or stores
  std::map<std::tuple<std::size_t, int, int, int, int>, bool> holds_;
  double best_gain_ = 0;
  double best_gain_bytes_ = 0;
  double most_bytes_ = 0;
};

}  // namespace lingua::testing
