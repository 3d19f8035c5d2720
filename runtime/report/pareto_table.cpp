#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "runtime/report/pareto_report.h"
#include "runtime/report/text_table.h"

namespace lingua {
namespace {

std::string stages_text(const Plan& plan) {
  std::string text;
  for (const Stage& stage : plan.stages) {
    text += fmt::format("{}{} {}-{}", text.empty() ? "" : ", ", stage.device, stage.first_segment,
                        stage.last_segment);
  }
  return text;
}

nlohmann::json to_json(const ParetoPoint& point, const std::vector<Objective>& goals) {
  nlohmann::json values;
  for (std::size_t g = 0; g < goals.size(); ++g) values[objective_name(goals[g])] = point.values[g];
  return {{"values", std::move(values)}, {"plan", plan_to_json(point.plan)}};
}

}  // namespace

std::string pareto_table(const ParetoFront& front) {
  std::vector<std::vector<std::string>> rows = {{"plan"}};
  for (const Objective& goal : front.goals) rows[0].push_back(objective_name(goal));
  rows[0].insert(rows[0].end(), {"devices", "made by"});
  for (std::size_t i = 0; i < front.points.size(); ++i) {
    const ParetoPoint& point = front.points[i];
    rows.push_back({fmt::format("{}", i + 1)});
    for (std::size_t g = 0; g < front.goals.size(); ++g)
      rows.back().push_back(objective_text(point.values[g], front.goals[g]));
    rows.back().push_back(fmt::format("{}", point.plan.stages.size()));
    rows.back().push_back(point.plan.planner);
  }
  std::string text =
      fmt::format("{} on {}: plans that no other beats in all goals\n",
                  front.points.front().plan.model, front.points.front().plan.cluster);
  text += text_table(rows);
  for (std::size_t i = 0; i < front.points.size(); ++i) {
    text += fmt::format("{}: {}\n", i + 1, stages_text(front.points[i].plan));
  }
  return text;
}

nlohmann::json pareto_to_json(const ParetoFront& front) {
  nlohmann::json json = {{"goals", nlohmann::json::array()},
                         {"points", nlohmann::json::array()},
                         {"dominated", nlohmann::json::array()}};
  for (const Objective& goal : front.goals) json["goals"].push_back(objective_name(goal));
  for (const ParetoPoint& point : front.points)
    json["points"].push_back(to_json(point, front.goals));
  for (const ParetoPoint& point : front.dominated)
    json["dominated"].push_back(to_json(point, front.goals));
  return json;
}

}  // namespace lingua
