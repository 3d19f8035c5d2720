#include "runtime/report/plan_table.h"

#include <algorithm>
#include <cmath>

#include "runtime/base/errors.h"
#include "runtime/report/text_table.h"

namespace lingua {
namespace {

std::string segments_text(const Stage& stage) {
  std::string text = fmt::format("{}-{}", stage.first_segment, stage.last_segment);
  if (!stage.stored_segments.empty()) text += fmt::format(" +{}", stage.stored_segments.size());
  return text;
}

// What the devices draw, where the cluster says so.
std::string energy_line(const Estimate& estimate) {
  if (estimate.energy_per_token_j == 0) return "";
  std::string text = fmt::format("energy: {:.3g} J per token ({:.3g} tokens/J)",
                                 estimate.energy_per_token_j, 1 / estimate.energy_per_token_j);
  double sum = 0;
  for (const StageEstimate& stage : estimate.stages) sum += stage.energy_j;
  for (const StageEstimate& stage : estimate.stages) {
    text += fmt::format(", {} {:.0f}%", stage.device, 100 * stage.energy_j / sum);
  }
  return text + "\n";
}

std::string transfers_text(const Plan& plan) {
  const std::size_t tensors = plan.transfers.size();
  if (tensors == 0) return "nothing moves between devices";
  const auto residual = std::count_if(plan.transfers.begin(), plan.transfers.end(),
                                      [](const Transfer& transfer) { return transfer.residual; });
  return fmt::format("a step moves {} {} between devices{}", tensors,
                     tensors == 1 ? "tensor" : "tensors",
                     residual > 0 ? fmt::format(", {} past a stage (residual)", residual) : "");
}

// "128", or "16 to 512" of prompts that differ.
std::string lengths_text(const Workload& workload) {
  if (!workload.is_mixed()) return std::to_string(workload.prompt_tokens);
  return fmt::format(
      "{} to {}", *std::min_element(workload.prompt_lengths.begin(), workload.prompt_lengths.end()),
      workload.prompt_tokens);
}

}  // namespace

std::string proof_text(const Plan& plan) {
  if (plan.optimality != Optimality::kFeasible) return optimality_name(plan.optimality);
  return fmt::format("feasible, within {:.2g}% of the proven bound", 100 * plan.gap);
}

std::string timing_text(const Estimate& estimate, const Workload& workload) {
  const std::string generated =
      workload.max_tokens > 0 ? fmt::format(" + {}", workload.max_tokens) : "";
  const int requests = workload.total_requests();
  const bool exact = estimate.tokens_per_s_error < 0.005;
  const std::string error =
      exact ? ""
            : fmt::format(", within some {:.0f}%", std::ceil(100 * estimate.tokens_per_s_error));
  return fmt::format(
      "one request of {}{} tokens alone: {}{} ({} to the first token, then {} per token); "
      "{} {}, {} in flight: {:.4g} tokens/s{}",
      lengths_text(workload), generated, format_seconds(estimate.latency_s),
      workload.is_mixed() ? " in the mean" : "", format_seconds(estimate.ttft_s),
      format_seconds(estimate.tpot_s), requests, requests == 1 ? "request" : "requests",
      workload.in_flight, estimate.tokens_per_s, error);
}

std::string plan_table(const Plan& plan, const Segmentation& segmentation,
                       const Workload& workload) {
  const Estimate& estimate = plan.estimate;
  LINGUA_CHECK(estimate.stages.size() == plan.stages.size(), "the plan has no estimate");
  double compute_s = 0;
  for (const StageEstimate& stage : estimate.stages) compute_s += stage.compute_s;
  std::vector<std::vector<std::string>> rows = {{"device", "segments", "weights", "KV",
                                                 "activations", "capacity", "compute", "transfer",
                                                 "of compute"}};
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    const StageEstimate& stage = estimate.stages[s];
    const double share = compute_s > 0 ? stage.compute_s / compute_s : 0;
    rows.push_back({stage.device, segments_text(plan.stages[s]), format_bytes(stage.weights_bytes),
                    format_bytes(stage.state_bytes), format_bytes(stage.activation_bytes),
                    format_bytes(stage.memory_bytes), format_seconds(stage.compute_s),
                    format_seconds(stage.transfer_s), fmt::format("{:.0f}%", 100 * share)});
  }
  return fmt::format("{} ({} segments) on {}: planner {}, objective {}, {}\n", plan.model,
                     segmentation.segments.size(), plan.cluster, plan.planner,
                     objective_name(plan.objective), proof_text(plan)) +
         text_table(rows) + timing_text(estimate, workload) + "\n" + energy_line(estimate) +
         fmt::format("bottleneck: {}, {} per request; {}\n", estimate.bottleneck,
                     format_seconds(estimate.bottleneck_s), transfers_text(plan));
}

std::string token_time_line(const TokenTime& time) {
  if (time.sum_s() == 0) return "";
  if (time.hops == 0)
    return fmt::format("a token after the first takes {}, all of it computing\n",
                       format_seconds(time.sum_s()));
  return fmt::format(
      "a token after the first takes {}: {} computing, {} latency ({:.3g} hops), {} of bytes\n",
      format_seconds(time.sum_s()), format_seconds(time.compute_s), format_seconds(time.latency_s),
      time.hops, format_seconds(time.bytes_s));
}

std::string alone_line(const BestAlone& alone, double value, const Objective& objective) {
  constexpr double kSmallGain = 1e-3;  // relative; less is no gain
  if (alone.value > value * (1 - kSmallGain)) return "";
  return fmt::format("one device alone is better: {} with {}, this plan with {}\n", alone.device,
                     objective_text(alone.value, objective), objective_text(value, objective));
}

}  // namespace lingua
