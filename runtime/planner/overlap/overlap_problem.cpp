#include "runtime/planner/overlap/overlap_problem.h"

#include <algorithm>

#include "runtime/base/errors.h"
#include "runtime/plan/run_memory.h"

namespace lingua {
namespace {

ClusterSpec slowed(const ClusterSpec& cluster, const SlowDown& slow_down) {
  ClusterSpec slower = cluster;
  slower.devices[cluster.index_of(slow_down.device)].slow_down(slow_down.factor);
  return slower;
}

PlanRequest with_cluster(PlanRequest request, const ClusterSpec& cluster) {
  request.cluster = &cluster;
  return request;
}

std::vector<int> starts_of(const Storage& runs) {
  std::vector<int> starts;
  for (const Span& run : runs) starts.push_back(run.first);
  starts.push_back(runs.back().end);
  return starts;
}

}  // namespace

OverlapProblem::Scenario::Scenario(const PlanRequest& of, const SlowDown& which)
    : slow_down(which),
      cluster(slowed(*of.cluster, which)),
      request(with_cluster(of, cluster)),
      costs(request) {}

OverlapProblem::OverlapProblem(const Plan& plan, const PlanRequest& request,
                               const std::vector<SlowDown>& slow_downs)
    : header_keeps_(
          std::min(resolved_rules(request).header_keeps, plan.stages.front().last_segment + 1)) {
  std::vector<Stage> chain = plan.stages;
  if (header_keeps_last(chain) > 0) chain.pop_back();
  segments_ = chain.back().last_segment + 1;
  for (const Stage& stage : chain) {
    devices_.push_back(request.cluster->index_of(stage.device));
    memory_bytes_.push_back(request.cluster->device(stage.device).memory_bytes);
    runs_.push_back({stage.first_segment, stage.last_segment + 1});
  }
  for (int s = 0; s < stages(); ++s) {
    widest_.push_back({runs_[std::max(s - 1, 0)].first, runs_[std::min(s + 1, stages() - 1)].end});
  }
  memory_ = {memory(request, true), memory(request, false)};
  for (const SlowDown& slow_down : slow_downs) {
    scenarios_.push_back(std::make_unique<Scenario>(request, slow_down));
    Scenario& scenario = *scenarios_.back();
    scenario.search = std::make_unique<BoundarySearch>(scenario.costs, devices_, ranges(widest_));
    scenario.unchanged = scenario.search->value(starts_of(runs_));
  }
}

OverlapProblem::Memory OverlapProblem::memory(const PlanRequest& request, bool of_header) const {
  const std::vector<Segment>& segments = request.segmentation->segments;
  const std::size_t cells = static_cast<std::size_t>(segments_) * (segments_ + 1);
  Memory result{std::vector<double>(cells, 0), std::vector<double>(cells, 0)};
  for (Span span; span.first < segments_; ++span.first) {
    RunMemory memory(request.workload);
    for (auto s = static_cast<std::size_t>(segments_); of_header && s < segments.size(); ++s)
      memory.run(segments[s]);
    for (int s = span.first; s < segments_; ++s) {
      memory.run(segments[s]);
      span.end = s + 1;
      result.weights[cell(span)] = memory.weights_bytes();
      result.work_bytes[cell(span)] = memory.state_bytes() + memory.activation_bytes();
    }
  }
  return result;
}

double OverlapProblem::stored_bytes(const Storage& storage) const {
  double sum = 0;
  for (int s = 0; s < stages(); ++s) sum += stored_bytes(s, storage[s]);
  return sum;
}

bool OverlapProblem::holds(int stage, const Span& storage, const Span& run) const {
  return weights(stage, storage) +
             std::max(work_bytes(stage, run), work_bytes(stage, runs_[stage])) <=
         memory_bytes_[stage];
}

// Where each stage may begin: it has the segment, and the stage before has the one before.
std::vector<Range> OverlapProblem::ranges(const Storage& storage) const {
  std::vector<Range> ranges = {{0, 0}};
  for (int s = 1; s < stages(); ++s) ranges.push_back({storage[s].first, storage[s - 1].end});
  if (stages() > 1) ranges[1].low = std::max(ranges[1].low, header_keeps_);
  ranges.push_back({segments_, segments_});
  return ranges;
}

// The plan's own boundaries are always among those within reach.
Boundaries OverlapProblem::or_unchanged(int scenario, std::optional<Boundaries> found) const {
  LINGUA_CHECK(found.has_value(), "the plan does not fit its own devices");
  if (found->value < unchanged(scenario)) return std::move(*found);
  return {starts_of(runs_), unchanged(scenario)};
}

Boundaries OverlapProblem::reach(int scenario, const Storage& storage) const {
  const StoredBytes bytes = [&](int stage, int first, int end) {
    return holds(stage, storage[stage], {first, end}) ? 0 : kNoLimit;
  };
  return or_unchanged(scenario, scenarios_[scenario]->search->best(ranges(storage), bytes));
}

Boundaries OverlapProblem::reach_between(int scenario, const Storage& least,
                                         const Storage& most) const {
  const StoredBytes bytes = [&](int stage, int first, int end) {
    const Span storage = hull(least[stage], {first, end});
    if (!holds(stage, storage, {first, end})) return kNoLimit;
    return weights(stage, storage) - weights(stage, least[stage]);
  };
  return or_unchanged(scenario, scenarios_[scenario]->search->leanest(ranges(most), bytes));
}

double OverlapProblem::unlimited(int scenario) const {
  std::vector<Range> anywhere = {{0, 0}};
  for (int s = 1; s < stages(); ++s) anywhere.push_back({s, segments_ - stages() + s});
  if (stages() > 1) anywhere[1].low = header_keeps_;
  anywhere.push_back({segments_, segments_});
  const PlanCosts& costs = scenarios_[scenario]->costs;
  const StoredBytes bytes = [&](int stage, int first, int end) {
    return costs.fits({devices_[stage], first, end - 1}) ? 0 : kNoLimit;
  };
  BoundarySearch search(costs, devices_, anywhere);
  return or_unchanged(scenario, search.best(anywhere, bytes)).value;
}

double OverlapProblem::expected_unchanged() const {
  double sum = 0;
  for (int i = 0; i < scenarios(); ++i) sum += slow_down(i).probability * unchanged(i);
  return sum;
}

double OverlapProblem::expected_gain(const Storage& storage) const {
  double gain = 0;
  for (int i = 0; i < scenarios(); ++i) {
    gain += slow_down(i).probability * (unchanged(i) - reach(i, storage).value);
  }
  return gain;
}

}  // namespace lingua
