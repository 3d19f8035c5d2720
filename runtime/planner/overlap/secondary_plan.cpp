#include "runtime/planner/overlap/secondary_plan.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>

#include "runtime/base/errors.h"
#include "runtime/plan/run_memory.h"
#include "runtime/planner/overlap/overlap_problem.h"

namespace lingua {
namespace {

double number(const std::string& text, const std::string& all) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size()) return value;
  throw UsageError(fmt::format(
      "slow-down '{}': '{}' is no number; write DEVICE=FACTOR or DEVICE=FACTOR:PROBABILITY", all,
      text));
}

// Probabilities as shares of all; the default scenarios where there are none.
std::vector<SlowDown> scenarios_of(std::vector<SlowDown> slow_downs, const Plan& plan) {
  if (slow_downs.empty()) {
    for (const DeviceName& device : plan.devices()) slow_downs.push_back({device, 2, 1});
  }
  double sum = 0;
  for (const SlowDown& slow_down : slow_downs) sum += slow_down.probability;
  for (SlowDown& slow_down : slow_downs) slow_down.probability /= sum;
  return slow_downs;
}

std::vector<SegmentId> besides(const Span& storage, const Span& run) {
  std::vector<SegmentId> ids;
  for (int id = storage.first; id < storage.end; ++id) {
    if (id < run.first || id >= run.end) ids.push_back(id);
  }
  return ids;
}

ScenarioOutcome outcome(const OverlapProblem& problem, int scenario, const Storage& storage) {
  const Boundaries reached = problem.reach(scenario, storage);
  ScenarioOutcome outcome;
  outcome.slow_down = problem.slow_down(scenario);
  outcome.unchanged = problem.unchanged(scenario);
  outcome.reachable = reached.value;
  outcome.unlimited = std::min(problem.unlimited(scenario), reached.value);
  outcome.first_segments.assign(reached.starts.begin(), reached.starts.end() - 1);
  return outcome;
}

}  // namespace

OverlapRule parse_overlap_rule(const std::string& name) {
  if (name == "gain") return OverlapRule::kGain;
  if (name == "bytes") return OverlapRule::kBytes;
  throw UsageError(fmt::format("overlap rule '{}' is not known; write gain or bytes", name));
}

const char* overlap_rule_name(OverlapRule rule) {
  return rule == OverlapRule::kGain ? "gain" : "bytes";
}

SlowDown parse_slow_down(const std::string& text) {
  const auto equals = text.rfind('=');
  if (equals == std::string::npos || equals == 0) {
    throw UsageError(
        fmt::format("slow-down '{}' names no device and factor; write DEVICE=FACTOR or "
                    "DEVICE=FACTOR:PROBABILITY",
                    text));
  }
  const auto colon = text.find(':', equals);
  SlowDown slow_down;
  slow_down.device = text.substr(0, equals);
  slow_down.factor = number(text.substr(equals + 1, colon - equals - 1), text);
  if (colon != std::string::npos) slow_down.probability = number(text.substr(colon + 1), text);
  return slow_down;
}

void check_slow_downs(const std::vector<SlowDown>& slow_downs, const ClusterSpec& cluster) {
  double sum = 0;
  for (const SlowDown& slow_down : slow_downs) {
    if (cluster.index_of(slow_down.device) < 0) {
      throw UsageError(fmt::format("slow-down: '{}' is no device of cluster '{}'; write one of {}",
                                   slow_down.device, cluster.name, cluster.names()));
    }
    if (!(slow_down.factor > 0) || !std::isfinite(slow_down.factor)) {
      throw UsageError(
          fmt::format("slow-down of '{}': factor {} is out of range; write one above 0, and above "
                      "1 for a device that gets slower",
                      slow_down.device, slow_down.factor));
    }
    if (!(slow_down.probability >= 0) || !std::isfinite(slow_down.probability)) {
      throw UsageError(
          fmt::format("slow-down of '{}': probability {} is out of range; write 0 or more",
                      slow_down.device, slow_down.probability));
    }
    sum += slow_down.probability;
  }
  if (!slow_downs.empty() && !(sum > 0 && std::isfinite(sum))) {
    throw UsageError(
        fmt::format("slow-downs: their probabilities sum to {}; write one above 0", sum));
  }
}

double SecondaryPlan::total_bytes() const {
  double sum = 0;
  for (double bytes : stored_bytes) sum += bytes;
  return sum;
}

SecondaryPlan secondary_plan(const Plan& plan, const PlanRequest& request,
                             const SecondaryOptions& options) {
  LINGUA_CHECK(!plan.stages.empty(), "a plan without stages");
  using Clock = std::chrono::steady_clock;
  const auto deadline =
      Clock::now() + std::chrono::duration_cast<Clock::duration>(Seconds(request.time_limit_s));
  check_slow_downs(options.slow_downs, *request.cluster);
  const Objective& objective = request.objective;
  if (objective.throughput > 0 && !objective.is_throughput()) {
    throw UsageError(fmt::format(
        "overlap: objective '{}' weighs throughput against other goals; write throughput "
        "alone, or leave it out",
        objective_name(objective)));
  }
  const int kept = header_keeps_last(plan.stages);
  PlanRequest of_plan = request;  // whatever the rules: what the plan has of them stays
  of_plan.rules.header_keeps_last = kept;
  of_plan.rules.tailer.clear();
  const OverlapProblem problem(plan, of_plan, scenarios_of(options.slow_downs, plan));
  const OverlapChoice choice = options.rule == OverlapRule::kGain
                                   ? most_gain(problem, {options.most_nodes, deadline})
                                   : most_bytes(problem);
  SecondaryPlan secondary;
  secondary.rule = options.rule;
  secondary.objective = objective;
  secondary.proven = choice.proven;
  secondary.gain_bound = choice.gain_bound;
  for (int s = 0; s < problem.stages(); ++s) {
    secondary.stored_segments.push_back(besides(choice.storage[s], problem.runs()[s]));
    secondary.stored_bytes.push_back(problem.stored_bytes(s, choice.storage[s]));
  }
  for (int i = 0; i < problem.scenarios(); ++i) {
    secondary.scenarios.push_back(outcome(problem, i, choice.storage));
    secondary.expected_gain +=
        secondary.scenarios.back().slow_down.probability * secondary.scenarios.back().gain();
  }
  if (kept > 0) {  // the header's last stage: it stays as it is
    secondary.stored_segments.emplace_back();
    secondary.stored_bytes.push_back(0);
    for (ScenarioOutcome& scenario : secondary.scenarios)
      scenario.first_segments.push_back(plan.stages.back().first_segment);
  }
  return secondary;
}

void apply_secondary(const SecondaryPlan& secondary, const PlanRequest& request, Plan* plan) {
  LINGUA_CHECK(secondary.stored_segments.size() == plan->stages.size(), "it is of another plan");
  for (std::size_t s = 0; s < plan->stages.size(); ++s) {
    Stage& stage = plan->stages[s];
    stage.stored_segments = secondary.stored_segments[s];
  }
  const auto memory = stages_memory(*plan, *request.segmentation, request.workload);
  for (std::size_t s = 0; s < plan->estimate.stages.size(); ++s)
    plan->estimate.stages[s].weights_bytes = memory[s].weights_bytes;
}

}  // namespace lingua
