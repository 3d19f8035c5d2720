#include "runtime/balance/policy.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "runtime/base/errors.h"
#include "runtime/plan/run_memory.h"
#include "runtime/planner/overlap/boundaries.h"
#include "runtime/planner/planner.h"
#include "runtime/predict/estimate.h"

namespace lingua {
namespace {

constexpr double kEnded = 1e-9;  // so little of the work left is none

constexpr double kThreshold = 1.25;  // of `threshold`: so much slower or faster than planned with
constexpr double kLeastGain = 0.02;  // of `optimal`: of the rest of the run
constexpr double kPauseGain = 0.5;   // and of the pause
constexpr double kPlanningLimit_s =
    2;  // an outer guard: the run goes on meanwhile, and nobody decides

PlanRequest request_at_present(const Snapshot& snapshot) {
  PlanRequest request = *snapshot.request;
  request.cluster = &snapshot.present;
  request.running = &snapshot.running->stages;
  request.variants = nullptr;
  request.time_limit_s = std::min(request.time_limit_s, kPlanningLimit_s);
  const auto is_gone = [&](const DeviceName& device) {
    return snapshot.present.index_of(device) < 0;
  };
  std::erase_if(request.rules.excluded, is_gone);
  if (is_gone(request.rules.header)) request.rules.header.clear();
  if (is_gone(request.rules.tailer)) request.rules.tailer.clear();
  return request;
}

// By the run's planner; nothing where it finds none or the one that runs.
std::optional<Plan> plan_anew(const Snapshot& snapshot) {
  try {
    Plan plan = make_plan(snapshot.planner, request_at_present(snapshot));
    if (!same_runs(plan, *snapshot.running)) return plan;
  } catch (const InfeasibleError&) {  // the running plan is all there is
  }
  return std::nullopt;
}

Plan with_stages(const Snapshot& snapshot, std::vector<Stage> stages) {
  const PlanRequest& request = *snapshot.request;
  Plan plan = *snapshot.running;
  plan.stages = std::move(stages);
  plan.transfers = transfers_of(*request.segmentation, plan.stages, request.workload.communication);
  plan.optimality = Optimality::kHeuristic;
  plan.estimate = estimate(plan, *request.segmentation, snapshot.present, request.workload);
  return plan;
}

bool runs_on_the_living(const Plan& plan, const ClusterSpec& present) {
  return std::all_of(plan.stages.begin(), plan.stages.end(),
                     [&](const Stage& stage) { return present.index_of(stage.device) >= 0; });
}

// What changed, for people.
std::string changes_text(const Snapshot& snapshot) {
  std::vector<std::string> texts;
  for (const DeviceSpec& device : snapshot.present.devices) {
    const int index = snapshot.planned_with.index_of(device.name);
    if (index < 0) {
      texts.push_back(fmt::format("{} is there", device.name));
      continue;
    }
    const DeviceSpec& before = snapshot.planned_with.devices[static_cast<std::size_t>(index)];
    const double slowness = before.memory_bytes_per_s / device.memory_bytes_per_s;
    if (std::abs(std::log(slowness)) > 0.02)
      texts.push_back(fmt::format("{} is {:.2f}x {}", device.name,
                                  slowness > 1 ? slowness : 1 / slowness,
                                  slowness > 1 ? "slower" : "faster"));
  }
  return texts.empty() ? std::string("a better plan was found")
                       : fmt::format("{}", fmt::join(texts, ", "));
}

Forecast forecast_of(const Snapshot& snapshot, const ClusterSpec& cluster) {
  return Forecast(*snapshot.request, cluster, snapshot.requests, snapshot.move_bytes_per_s,
                  snapshot.queued);
}

// Until the requests have ended, as the cluster changes: under the running plan until `moved_s`, then another.
double rest_s(const Snapshot& snapshot, const Plan& next, double moved_s) {
  const ClusterSpec* cluster = &snapshot.present;
  double left = 1;  // of the work
  double now_s = 0;
  std::size_t later = 0;
  while (true) {
    const bool has_moved = now_s >= moved_s;
    const Forecast forecast = forecast_of(snapshot, *cluster);
    const double whole_s = forecast.rest_s(has_moved ? next : *snapshot.running);
    double until_s = now_s + left * whole_s;
    if (!has_moved) until_s = std::min(until_s, moved_s);
    const bool changes = later < snapshot.future.size() && snapshot.future[later].after_s < until_s;
    if (changes) until_s = snapshot.future[later].after_s;
    left = whole_s > 0 ? left - (until_s - now_s) / whole_s : 0;
    now_s = until_s;
    if (changes) {
      const ClusterSpec& then = snapshot.future[later++].cluster;
      const Plan& runs = has_moved ? next : *snapshot.running;
      if (runs_on_the_living(runs, then) && runs_on_the_living(next, then)) cluster = &then;
    } else if (has_moved || left <= kEnded) {
      return now_s;
    }
  }
}

Decision decision_for(const Snapshot& snapshot, const Forecast& forecast, Plan plan, bool crosses) {
  const Plan& running = *snapshot.running;
  Decision decision;
  decision.weights_bytes = forecast.missing_bytes(running, plan);
  decision.prepare_s = forecast.prepare_s(running, plan);
  CrossingChoice choice;  // all end where they run
  decision.crosses = crosses;
  if (crosses) choice = choose_crossing(forecast, running, plan, forecast.stop_s(running, plan));
  decision.crossings = choice.crossings;
  decision.copy_s = choice.copy_s;
  decision.pause_s = choice.pause_s;
  const double stay_s = forecast.rest_s(running);
  decision.saved = stay_s > 0 ? std::max(0.0, 1 - forecast.rest_s(plan) / stay_s) : 0;
  decision.cost_s = choice.loss_s;
  decision.gain_s =
      rest_s(snapshot, running, 0) - rest_s(snapshot, plan, decision.prepare_s) - choice.loss_s;
  decision.why = changes_text(snapshot);
  decision.plan = std::move(plan);
  return decision;
}

std::optional<Decision> stay(const Snapshot&) { return std::nullopt; }

std::optional<Decision> within_overlap(const Snapshot& snapshot) {
  if (!snapshot.between) return std::nullopt;
  std::optional<Plan> plan = plan_within_overlap(snapshot);
  if (!plan) return std::nullopt;
  const Forecast forecast = forecast_of(snapshot, snapshot.present);
  Decision decision = decision_for(snapshot, forecast, *std::move(plan), false);
  if (decision.gain_s <= 0) return std::nullopt;
  return decision;
}

std::optional<Decision> past_threshold(const Snapshot& snapshot) {
  const auto has_changed = [&](const DeviceSpec& device) {
    const int index = snapshot.planned_with.index_of(device.name);
    if (index < 0) return true;  // it has joined
    const DeviceSpec& before = snapshot.planned_with.devices[static_cast<std::size_t>(index)];
    const double changed =
        std::max(std::abs(std::log(before.memory_bytes_per_s / device.memory_bytes_per_s)),
                 std::abs(std::log(before.flops_per_s / device.flops_per_s)));
    return changed > std::log(kThreshold);
  };
  const auto& devices = snapshot.present.devices;
  if (std::none_of(devices.begin(), devices.end(), has_changed)) return std::nullopt;
  std::optional<Plan> plan = plan_anew(snapshot);
  if (!plan) return std::nullopt;
  const Forecast forecast = forecast_of(snapshot, snapshot.present);
  return decision_for(snapshot, forecast, *std::move(plan), true);
}

// The plan that is worth most once its costs are taken off.
std::optional<Decision> most_gain(const Snapshot& snapshot) {
  const Forecast forecast = forecast_of(snapshot, snapshot.present);
  std::optional<Decision> best;
  for (std::optional<Plan> plan : {plan_within_overlap(snapshot), plan_anew(snapshot)}) {
    if (!plan || !forecast.fits_beside(*snapshot.running, *plan)) continue;
    Decision decision = decision_for(snapshot, forecast, *std::move(plan), true);
    if (!best || decision.gain_s > best->gain_s) best = std::move(decision);
  }
  if (!best) return std::nullopt;
  const double least_s =
      std::max(kLeastGain * forecast.rest_s(*snapshot.running), kPauseGain * best->pause_s);
  if (best->gain_s <= least_s) return std::nullopt;
  return best;
}

}  // namespace

bool same_runs(const Plan& a, const Plan& b) {
  return std::equal(a.stages.begin(), a.stages.end(), b.stages.begin(), b.stages.end(),
                    [](const Stage& x, const Stage& y) {
                      return x.device == y.device && x.first_segment == y.first_segment &&
                             x.last_segment == y.last_segment;
                    });
}

std::optional<Plan> plan_within_overlap(const Snapshot& snapshot) {
  std::vector<Stage> stages = snapshot.running->stages;
  const Objective& objective = snapshot.request->objective;
  // The search of boundaries does without one that weighs throughput against other goals.
  if (objective.throughput > 0 && !objective.is_throughput()) return std::nullopt;
  if (stages.size() < 2 || !runs_on_the_living(*snapshot.running, snapshot.present))
    return std::nullopt;
  const PlanRequest request = request_at_present(snapshot);
  std::vector<Stage> kept;  // the header's last run, which stays
  if (header_keeps_last(stages) > 0) {
    kept.push_back(stages.back());
    stages.pop_back();
  }
  const int count = static_cast<int>(stages.size());
  const int segments = stages.back().last_segment + 1;
  std::vector<int> devices;
  std::vector<std::vector<bool>> holds;  // [stage][segment]
  for (const Stage& stage : stages) {
    devices.push_back(request.cluster->index_of(stage.device));
    std::vector<bool>& held = holds.emplace_back(segments, false);
    for (int id = stage.first_segment; id <= stage.last_segment; ++id) held[id] = true;
    for (const SegmentId id : stage.stored_segments) {
      if (id < segments) held[id] = true;
    }
  }
  std::vector<Range> ranges = {{0, 0}};
  for (int s = 1; s < count; ++s) {
    int low = stages[s].first_segment;
    int high = low;
    while (low > s && low - 1 > stages[s - 1].first_segment && holds[s][low - 1]) --low;
    while (high < stages[s].last_segment && holds[s - 1][high]) ++high;
    if (s == 1) low = std::max(low, std::min(resolved_rules(request).header_keeps, high));
    ranges.push_back({low, high});
  }
  ranges.push_back({segments, segments});
  const PlanCosts costs(request);
  BoundarySearch search(costs, devices, ranges);
  const auto stored_bytes = [&](int stage, int first, int end) {
    RunMemory memory(request.workload);
    if (stage == 0 && !kept.empty()) memory.add(kept.front(), *request.segmentation);
    for (int id = 0; id < segments; ++id) {
      const Segment& segment = request.segmentation->segments[static_cast<std::size_t>(id)];
      const bool runs = id >= first && id < end;
      if (runs && !holds[stage][id]) return kNoLimit;
      if (runs) memory.run(segment);
      if (!runs && holds[stage][id]) memory.store(segment);
    }
    const DeviceSpec& device = request.cluster->devices[static_cast<std::size_t>(devices[stage])];
    return memory.total_bytes() > device.memory_bytes ? kNoLimit : 0.0;
  };
  const std::optional<Boundaries> best = search.best(ranges, stored_bytes);
  if (!best) return std::nullopt;
  for (int s = 0; s < count; ++s) {
    stages[s].first_segment = best->starts[s];
    stages[s].last_segment = best->starts[s + 1] - 1;
    stages[s].stored_segments.clear();
    for (int id = 0; id < segments; ++id) {
      if (holds[s][id] && (id < stages[s].first_segment || id > stages[s].last_segment))
        stages[s].stored_segments.push_back(id);
    }
  }
  stages.insert(stages.end(), kept.begin(), kept.end());
  Plan plan = with_stages(snapshot, std::move(stages));
  if (same_runs(plan, *snapshot.running)) return std::nullopt;
  return plan;
}

const std::vector<PolicyEntry>& policies() {
  static const std::vector<PolicyEntry> entries = {
      {"none", "the plan stays", stay, false},
      {"lingualinked",
       "boundaries move within what neighbours both store, between requests (LinguaLinked)",
       within_overlap},
      {"threshold", "plans anew when a device is 1.25 times slower or faster than planned with",
       past_threshold},
      {"optimal", "moves when what it gains over the rest of the run is more than it costs",
       most_gain, true, false, true},
      {"oracle",
       "as optimal, with the true speeds, present and to come, instead of measured ones "
       "(simulation)",
       most_gain, true, true},
  };
  return entries;
}

const PolicyEntry& policy(const std::string& name) {
  for (const PolicyEntry& entry : policies()) {
    if (entry.name == name) return entry;
  }
  std::vector<std::string> names;
  for (const PolicyEntry& entry : policies()) names.emplace_back(entry.name);
  throw UsageError(
      fmt::format("balancer '{}' is not known; write one of {}", name, fmt::join(names, ", ")));
}

}  // namespace lingua
