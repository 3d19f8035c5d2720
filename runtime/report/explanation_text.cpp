#include "runtime/report/explanation_text.h"

#include <cmath>

#include "runtime/base/units.h"

namespace lingua {
namespace {

constexpr double kSmallGain = 1e-3;  // relative; less is no gain

}  // namespace

std::string change_text(const std::optional<double>& value, const Explanation& explanation,
                        const Objective& objective) {
  if (!value) return "no plan fits";
  const double change = *value / explanation.value - 1;
  const std::string text = objective_text(*value, objective);
  if (std::abs(change) < kSmallGain) return text + ", the same";
  const double share = objective.is_throughput() ? 1 / (1 + change) - 1 : change;
  return fmt::format("{}, {:.1f}% {}", text, 100 * std::abs(share),
                     change > 0 ? "worse" : "better");
}

std::string idle_text(double value, const Explanation& explanation, const Objective& objective) {
  if (std::abs(value / explanation.value - 1) < kSmallGain)
    return objective_text(value, objective) + ", no better than without it";
  return change_text(value, explanation, objective);
}

std::string explanation_text(const Explanation& explanation, const PlanRequest& request) {
  const Objective& objective = request.objective;
  std::string text = fmt::format("\nwhat binds: {}\n", explanation.binds);
  for (const StageReason& stage : explanation.stages) {
    const bool again =
        &stage != explanation.stages.data() && stage.device == explanation.stages.front().device;
    text += fmt::format(
        "  {}: computes {} per request, {:.0f}% of the time ({}), and sends for {}{}; {} of memory "
        "used, {} free{}\n",
        again ? stage.device + ", the last segments" : stage.device,
        format_seconds(stage.compute_s), 100 * stage.busy_share,
        stage.slack_s > 0 ? format_seconds(stage.slack_s) + " less than the busiest"
                          : "the busiest",
        format_seconds(stage.transfer_s), request.workload.in_flight > 1 ? " meanwhile" : "",
        format_bytes(stage.used_bytes), format_bytes(stage.free_bytes),
        stage.no_room.empty() ? "" : "; " + stage.no_room);
  }
  if (!explanation.idle.empty()) text += "devices that get nothing, and why:\n";
  for (const IdleReason& idle : explanation.idle) {
    text += fmt::format("  {}: {}", idle.device, idle.why);
    if (idle.value) text += "; in all " + idle_text(*idle.value, explanation, objective);
    text += "\n";
  }
  text += fmt::format("this plan: {}; others:\n", objective_text(explanation.value, objective));
  for (const Alternative& other : explanation.other_plans) {
    text += fmt::format("  {}: {}\n", other.what, change_text(other.value, explanation, objective));
  }
  text += "planned again with another cluster:\n";
  for (const Alternative& other : explanation.other_clusters) {
    text += fmt::format("  {}: {}\n", other.what, change_text(other.value, explanation, objective));
  }
  return text;
}

}  // namespace lingua
