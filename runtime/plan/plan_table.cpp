#include <algorithm>

#include "runtime/base/errors.h"
#include "runtime/plan/plan.h"

namespace lingua {
namespace {

std::string bytes(double value) { return format_quantity(value, Unit::kBytes); }
std::string seconds(double value) { return format_quantity(value, Unit::kSeconds); }

std::string segments_text(const Stage& stage) {
  std::string text = fmt::format("{}-{}", stage.first_segment, stage.last_segment);
  if (!stage.stored_segments.empty()) text += fmt::format(" +{}", stage.stored_segments.size());
  return text;
}

// Rows of cells, the first column left-aligned and the others right-aligned.
std::string align(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths(rows.front().size(), 0);
  for (const auto& row : rows) {
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line = fmt::format("{:<{}}", row[0], widths[0]);
    for (std::size_t c = 1; c < row.size(); ++c) line += fmt::format("  {:>{}}", row[c], widths[c]);
    text += line + "\n";
  }
  return text;
}

std::string proof(const Plan& plan) {
  if (plan.optimality != Optimality::kFeasible) return optimality_name(plan.optimality);
  return fmt::format("feasible, within {:.2g}% of the proven bound", 100 * plan.gap);
}

}  // namespace

std::string plan_table(const Plan& plan, const Segmentation& segmentation) {
  const Estimate& estimate = plan.estimate;
  LINGUA_CHECK(estimate.stages.size() == plan.stages.size(), "the plan has no estimate");
  double compute_s = 0;
  for (const StageEstimate& stage : estimate.stages) compute_s += stage.compute_s;
  std::vector<std::vector<std::string>> rows = {{"device", "segments", "weights", "KV",
                                                 "activations", "memory", "compute", "transfer",
                                                 "share"}};
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    const StageEstimate& stage = estimate.stages[s];
    const double share = compute_s > 0 ? stage.compute_s / compute_s : 0;
    rows.push_back({stage.device, segments_text(plan.stages[s]), bytes(stage.weights_bytes),
                    bytes(stage.state_bytes), bytes(stage.activation_bytes),
                    bytes(stage.memory_bytes), seconds(stage.compute_s), seconds(stage.transfer_s),
                    fmt::format("{:.0f}%", 100 * share)});
  }
  const auto residual = std::count_if(plan.transfers.begin(), plan.transfers.end(),
                                      [](const Transfer& transfer) { return transfer.residual; });
  return fmt::format("{} ({} segments) on {}: planner {}, objective {}, {}\n", plan.model,
                     segmentation.segments.size(), plan.cluster, plan.planner,
                     objective_name(plan.objective), proof(plan)) +
         align(rows) +
         fmt::format(
             "alone, a request takes {}: first token {}, then {} per token; in flight together, "
             "{:.4g} "
             "tokens/s\n",
             seconds(estimate.latency_s), seconds(estimate.ttft_s), seconds(estimate.tpot_s),
             estimate.tokens_per_s) +
         fmt::format("bottleneck: {}, {} per request; {} transfers per step, {} of them residual\n",
                     estimate.bottleneck, seconds(estimate.bottleneck_s), plan.transfers.size(),
                     residual);
}

}  // namespace lingua
