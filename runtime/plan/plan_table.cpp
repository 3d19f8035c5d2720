#include <algorithm>

#include "runtime/base/errors.h"
#include "runtime/plan/plan.h"
#include "runtime/plan/text_table.h"

namespace lingua {
namespace {

std::string bytes(double value) { return format_quantity(value, Unit::kBytes); }
std::string seconds(double value) { return format_quantity(value, Unit::kSeconds); }

std::string segments_text(const Stage& stage) {
  std::string text = fmt::format("{}-{}", stage.first_segment, stage.last_segment);
  if (!stage.stored_segments.empty()) text += fmt::format(" +{}", stage.stored_segments.size());
  return text;
}

// What the devices draw, where the cluster says so.
std::string energy_line(const Estimate& estimate) {
  if (estimate.energy_per_token_j == 0) return "";
  std::string text = fmt::format("energy: {:.3g} J per token", estimate.energy_per_token_j);
  double sum = 0;
  for (const StageEstimate& stage : estimate.stages) sum += stage.energy_j;
  for (const StageEstimate& stage : estimate.stages) {
    text += fmt::format(", {} {:.0f}%", stage.device, 100 * stage.energy_j / sum);
  }
  return text + "\n";
}

}  // namespace

std::string proof_text(const Plan& plan) {
  if (plan.optimality != Optimality::kFeasible) return optimality_name(plan.optimality);
  return fmt::format("feasible, within {:.2g}% of the proven bound", 100 * plan.gap);
}

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
                     objective_name(plan.objective), proof_text(plan)) +
         text_table(rows) +
         fmt::format(
             "alone, a request takes {}: first token {}, then {} per token; in flight together, "
             "{:.4g} "
             "tokens/s\n",
             seconds(estimate.latency_s), seconds(estimate.ttft_s), seconds(estimate.tpot_s),
             estimate.tokens_per_s) +
         energy_line(estimate) +
         fmt::format("bottleneck: {}, {} per request; {} transfers per step, {} of them residual\n",
                     estimate.bottleneck, seconds(estimate.bottleneck_s), plan.transfers.size(),
                     residual);
}

}  // namespace lingua
