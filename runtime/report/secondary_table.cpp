#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "runtime/base/units.h"
#include "runtime/report/secondary_report.h"

namespace lingua {
namespace {

// How much better than before: more tokens/s, or less of anything else.
double gain_percent(double before, double after, const Objective& objective) {
  return 100 * (objective.is_throughput() ? before / after - 1 : 1 - after / before);
}

// "7-8, 12-14"
std::string segments_text(const std::vector<SegmentId>& ids) {
  std::string text;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const SegmentId first = ids[i];
    while (i + 1 < ids.size() && ids[i + 1] == ids[i] + 1) ++i;
    text += (text.empty() ? "" : ", ") + fmt::format("{}", first);
    if (ids[i] > first) text += fmt::format("-{}", ids[i]);
  }
  return text.empty() ? "nothing" : text;
}

}  // namespace

std::string secondary_table(const SecondaryPlan& secondary, const Plan& plan) {
  std::string text = fmt::format(
      "overlap by {}, {}: {} stored besides what runs\n", overlap_rule_name(secondary.rule),
      secondary.proven ? "proven best" : "heuristic", format_bytes(secondary.total_bytes()));
  std::size_t width = 6;
  for (const Stage& stage : plan.stages) width = std::max(width, stage.device.size());
  for (const ScenarioOutcome& row : secondary.scenarios)
    width = std::max(width, row.slow_down.device.size());
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    text += fmt::format("{:<{}}  {:>9}  also {}\n", plan.stages[s].device, width,
                        format_bytes(secondary.stored_bytes[s]),
                        segments_text(secondary.stored_segments[s]));
  }
  const auto value_text = [&](double value) { return objective_text(value, secondary.objective); };
  text += fmt::format("{:<{}}  {:>6}  {:>6}  {:>14}  {:>14}  {:>14}  {:>6}\n", "slower", width,
                      "by", "chance", "unchanged", "overlap", "unlimited", "gain");
  double unchanged = 0;
  double reachable = 0;
  for (const ScenarioOutcome& row : secondary.scenarios) {
    unchanged += row.slow_down.probability * row.unchanged;
    reachable += row.slow_down.probability * row.reachable;
    text += fmt::format("{:<{}}  {:>6}  {:>5.1f}%  {:>14}  {:>14}  {:>14}  {:>5.1f}%\n",
                        row.slow_down.device, width, fmt::format("{:g}x", row.slow_down.factor),
                        100 * row.slow_down.probability, value_text(row.unchanged),
                        value_text(row.reachable), value_text(row.unlimited),
                        gain_percent(row.unchanged, row.reachable, secondary.objective));
  }
  return text + fmt::format("expected: {} unchanged, {} with overlap, {:+.1f}%\n",
                            value_text(unchanged), value_text(reachable),
                            gain_percent(unchanged, reachable, secondary.objective));
}

nlohmann::json secondary_to_json(const SecondaryPlan& secondary, const Plan& plan) {
  nlohmann::json stages = nlohmann::json::array();
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    stages.push_back({{"device", plan.stages[s].device},
                      {"stored_segments", secondary.stored_segments[s]},
                      {"stored_bytes", secondary.stored_bytes[s]}});
  }
  nlohmann::json scenarios = nlohmann::json::array();
  for (const ScenarioOutcome& row : secondary.scenarios) {
    scenarios.push_back({{"device", row.slow_down.device},
                         {"factor", row.slow_down.factor},
                         {"probability", row.slow_down.probability},
                         {"unchanged", row.unchanged},
                         {"reachable", row.reachable},
                         {"unlimited", row.unlimited},
                         {"gain", row.gain()},
                         {"first_segments", row.first_segments}});
  }
  nlohmann::json json = {{"rule", overlap_rule_name(secondary.rule)},
                         {"proven", secondary.proven},
                         {"stored_bytes", secondary.total_bytes()},
                         {"expected_gain", secondary.expected_gain},
                         {"stages", std::move(stages)},
                         {"scenarios", std::move(scenarios)}};
  if (secondary.rule == OverlapRule::kGain) json["gain_bound"] = secondary.gain_bound;
  return json;
}

}  // namespace lingua
