#include "runtime/plan/run_memory.h"

#include <fmt/format.h>

#include <algorithm>

namespace lingua {
namespace {

std::vector<std::pair<double, std::int64_t>> capacities_of(const Workload& workload) {
  const std::map<std::int64_t, double> counts = length_counts(workload);
  std::vector<std::pair<double, std::int64_t>> capacities;
  double places = workload.in_flight;
  for (auto it = counts.rbegin(); it != counts.rend() && places > 0; ++it) {
    capacities.emplace_back(std::min(places, it->second), it->first + workload.max_tokens);
    places -= capacities.back().first;
  }
  return capacities;
}

}  // namespace

RunMemory::RunMemory(const Workload& workload) : capacities_(capacities_of(workload)) {
  // Sizes grow with n and p, so the largest step is the first or the last.
  const std::int64_t chunk = workload.scheduling.chunk;
  const bool cut =
      chunk > 0 && chunk < workload.prompt_tokens && workload.max_tokens > 0 && workload.kv_cache;
  largest_steps_.push_back(cut ? Step{chunk, workload.prompt_tokens - chunk}
                               : Step{workload.prompt_tokens, 0});
  if (workload.max_tokens > 1) {
    const std::int64_t last = workload.prompt_tokens + workload.max_tokens - 1;
    largest_steps_.push_back(workload.kv_cache ? Step{1, last - 1} : Step{last, 0});
  }
}

void RunMemory::store(const Segment& segment) {
  for (const WeightSpec& weight : segment.weights) {
    if (weights_.insert(weight.name).second) weights_bytes_ += static_cast<double>(weight.bytes());
  }
}

void RunMemory::run(const Segment& segment) {
  store(segment);
  for (const auto& [count, capacity] : capacities_)
    state_bytes_ += count * segment.state_bytes(capacity);
  for (const Step& step : largest_steps_) {
    activation_bytes_ = std::max(activation_bytes_, segment.activation_bytes(step));
  }
}

void RunMemory::add(const Stage& stage, const Segmentation& segmentation) {
  for (SegmentId id = stage.first_segment; id <= stage.last_segment; ++id) {
    run(segmentation.segments[id]);
  }
  for (SegmentId id : stage.stored_segments) store(segmentation.segments[id]);
}

std::string RunMemory::to_string() const {
  return fmt::format("weights {}, KV {}, activations {}",
                     format_quantity(weights_bytes_, Unit::kBytes),
                     format_quantity(state_bytes_, Unit::kBytes),
                     format_quantity(activation_bytes_, Unit::kBytes));
}

double run_memory_bytes(const Segmentation& segmentation, SegmentId first, SegmentId last,
                        const Workload& workload) {
  RunMemory memory(workload);
  for (SegmentId id = first; id <= last; ++id) memory.run(segmentation.segments[id]);
  return memory.total_bytes();
}

std::vector<StageEstimate> stages_memory(const Plan& plan, const Segmentation& segmentation,
                                         const Workload& workload) {
  std::vector<StageEstimate> rows;
  for (const Stage& stage : plan.stages) {
    RunMemory memory(workload);
    const bool again = !rows.empty() && stage.device == plan.header();
    if (again) memory.add(plan.stages.front(), segmentation);
    const RunMemory before = memory;
    memory.add(stage, segmentation);
    StageEstimate& row = rows.emplace_back();
    row.device = stage.device;
    row.weights_bytes = memory.weights_bytes() - before.weights_bytes();
    row.state_bytes = memory.state_bytes() - before.state_bytes();
    row.activation_bytes = memory.activation_bytes() - before.activation_bytes();
  }
  return rows;
}

}  // namespace lingua
