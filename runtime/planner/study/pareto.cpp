#include "runtime/planner/study/pareto.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "runtime/base/errors.h"
#include "runtime/predict/estimate.h"

namespace lingua {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kSame = 1e-9;  // relative

Objective weighted(const std::vector<Objective>& goals, const std::vector<double>& weights) {
  Objective sum;
  for (std::size_t g = 0; g < goals.size(); ++g) {
    sum.latency += weights[g] * goals[g].latency;
    sum.ttft += weights[g] * goals[g].ttft;
    sum.tpot += weights[g] * goals[g].tpot;
    sum.throughput += weights[g] * goals[g].throughput;
    sum.energy += weights[g] * goals[g].energy;
  }
  return sum;
}

bool is_same(double a, double b) { return std::abs(a - b) <= kSame * std::max(a, b); }

bool is_same(const ParetoPoint& a, const ParetoPoint& b) {
  return std::equal(a.values.begin(), a.values.end(), b.values.begin(),
                    [](double x, double y) { return is_same(x, y); });
}

// At least as good in all goals, and better in one.
bool beats(const ParetoPoint& a, const ParetoPoint& b) {
  bool better = false;
  for (std::size_t g = 0; g < a.values.size(); ++g) {
    if (is_same(a.values[g], b.values[g])) continue;
    if (a.values[g] > b.values[g]) return false;
    better = true;
  }
  return better;
}

class Front {
 public:
  Front(const std::string& planner, const PlanRequest& request, const std::vector<Objective>& goals)
      : planner_(planner), request_(request), goals_(goals) {}

  ParetoFront find() {
    std::vector<std::size_t> alone;
    for (std::size_t g = 0; g < goals_.size(); ++g) {
      std::vector<double> weights(goals_.size(), 0);
      weights[g] = 1;
      alone.push_back(solve(weights));
    }
    scale_ = found_.front().values;
    for (const ParetoPoint& point : found_) {
      for (std::size_t g = 0; g < goals_.size(); ++g)
        scale_[g] = std::max(scale_[g], point.values[g]);
    }
    for (std::size_t a = 0; a < goals_.size(); ++a) {
      for (std::size_t b = a + 1; b < goals_.size(); ++b) between(a, b, alone[a], alone[b], 0);
    }
    if (goals_.size() > 2) sums_of_all();
    return sorted(plans_of_others());
  }

 private:
  double seconds_left() const {
    return request_.time_limit_s - Seconds(Clock::now() - began_).count();
  }

  // The number of the best point for a weighted sum.
  std::size_t solve(const std::vector<double>& weights) {
    PlanRequest request = request_;
    request.objective = weighted(goals_, weights);
    request.time_limit_s = std::max(seconds_left(), 1e-3);
    const std::vector<Stage> best = best_so_far(weights);
    if (!best.empty()) request.running = &best;
    found_.push_back(point(make_plan(planner_, request)));
    return found_.size() - 1;
  }

  // The search for a sum begins with the plan that is its best of those found; empty at first.
  std::vector<Stage> best_so_far(const std::vector<double>& weights) const {
    const auto sum = [&](const ParetoPoint& point) {
      double value = 0;
      for (std::size_t g = 0; g < weights.size(); ++g) value += weights[g] * point.values[g];
      return value;
    };
    if (found_.size() < goals_.size()) return {};
    const auto best = std::min_element(
        found_.begin(), found_.end(),
        [&](const ParetoPoint& a, const ParetoPoint& b) { return sum(a) < sum(b); });
    return best->plan.stages;
  }

  ParetoPoint point(Plan plan) const {
    ParetoPoint point{std::move(plan), {}};
    for (const Objective& goal : goals_)
      point.values.push_back(objective_value(point.plan.estimate, goal));
    return point;
  }

  // What lies below the line from one point to another, in two goals.
  void between(std::size_t a, std::size_t b, std::size_t left, std::size_t right, int depth) {
    constexpr int kDeepest = 6;
    if (depth == kDeepest || seconds_left() <= 0) return;
    const double rise = found_[left].values[b] - found_[right].values[b];
    const double run = found_[right].values[a] - found_[left].values[a];
    if (!(rise > kSame * scale_[b] && run > kSame * scale_[a])) return;
    std::vector<double> weights(goals_.size(), 0);
    weights[a] = 1;
    weights[b] = run / rise;
    const auto sum = [&](std::size_t i) {
      return weights[a] * found_[i].values[a] + weights[b] * found_[i].values[b];
    };
    const std::size_t middle = solve(weights);
    if (sum(middle) >= sum(left) * (1 - 1e-6)) return;
    between(a, b, left, middle, depth + 1);
    between(a, b, middle, right, depth + 1);
  }

  // Every mixture of the goals in quarters, each in its own scale.
  void sums_of_all() {
    constexpr int kParts = 4;
    std::vector<double> weights(goals_.size());
    const auto mix = [&](auto&& next, std::size_t goal, int left) -> void {
      if (seconds_left() <= 0) return;
      if (goal + 1 == goals_.size()) {
        weights[goal] = left / scale_[goal];
        solve(weights);
        return;
      }
      for (int part = 1; left - part >= static_cast<int>(goals_.size() - goal) - 1; ++part) {
        weights[goal] = part / scale_[goal];
        next(next, goal + 1, left - part);
      }
    };
    mix(mix, 0, std::max(kParts, static_cast<int>(goals_.size())));
  }

  std::vector<ParetoPoint> plans_of_others() const {
    std::vector<ParetoPoint> points;
    for (const PlannerEntry& entry : planners()) {
      if (entry.proves || seconds_left() <= 0) continue;
      PlanRequest request = request_;
      request.objective = goals_.front();
      try {
        points.push_back(point(make_plan(entry.name, request)));
      } catch (const InfeasibleError&) {  // then it has no place in the picture
      }
    }
    return points;
  }

  ParetoFront sorted(const std::vector<ParetoPoint>& others) const {
    std::vector<ParetoPoint> all = found_;
    all.insert(all.end(), others.begin(), others.end());
    ParetoFront front;
    front.goals = goals_;
    for (const ParetoPoint& candidate : all) {
      const auto is_candidate = [&](const ParetoPoint& p) { return is_same(p, candidate); };
      const bool beaten = std::any_of(all.begin(), all.end(),
                                      [&](const ParetoPoint& p) { return beats(p, candidate); });
      if (beaten) continue;
      if (std::none_of(front.points.begin(), front.points.end(), is_candidate))
        front.points.push_back(candidate);
    }
    std::sort(front.points.begin(), front.points.end(),
              [](const ParetoPoint& a, const ParetoPoint& b) { return a.values < b.values; });
    for (const ParetoPoint& other : others) {
      const bool on_front = std::any_of(front.points.begin(), front.points.end(),
                                        [&](const ParetoPoint& p) { return is_same(p, other); });
      if (!on_front) front.dominated.push_back(other);
    }
    return front;
  }

  const std::string& planner_;
  const PlanRequest& request_;
  const std::vector<Objective>& goals_;
  Clock::time_point began_ = Clock::now();
  std::vector<ParetoPoint> found_;
  std::vector<double> scale_;
};

}  // namespace

std::vector<Objective> goals_of(const Objective& objective, const ClusterSpec& cluster) {
  std::vector<Objective> goals;
  if (objective.latency > 0) goals.push_back(Objective::kLatency);
  if (objective.ttft > 0) goals.push_back(Objective::kTtft);
  if (objective.tpot > 0) goals.push_back(Objective::kTpot);
  if (objective.throughput > 0) goals.push_back(Objective::kThroughput);
  if (objective.energy > 0) goals.push_back(Objective::kEnergy);
  if (goals.size() > 1) return goals;
  goals = {Objective::kLatency, Objective::kThroughput};
  const bool has_power = std::all_of(cluster.devices.begin(), cluster.devices.end(),
                                     [](const DeviceSpec& device) { return device.power_w > 0; });
  if (has_power) goals.push_back(Objective::kEnergy);
  return goals;
}

ParetoFront pareto_front(const std::string& planner, const PlanRequest& request,
                         const std::vector<Objective>& goals) {
  LINGUA_CHECK(goals.size() >= 2, "a front needs two goals");
  return Front(planner, request, goals).find();
}

}  // namespace lingua
