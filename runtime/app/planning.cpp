#include "runtime/app/planning.h"

#include <utility>

#include "runtime/app/results.h"
#include "runtime/base/files.h"
#include "runtime/planner/study/explain.h"
#include "runtime/predict/estimate.h"
#include "runtime/report/explanation_text.h"
#include "runtime/report/pareto_report.h"
#include "runtime/report/plan_picture.h"

namespace lingua {
namespace {

void write_picture(const std::string& file, const std::string& picture) {
  write_file_atomically(file, [&](std::ostream& out) { out << picture; });
}

}  // namespace

void visit_planning(PlanningRequest& request, SettingVisitor& visitor) {
  visit_study(request.study, visitor, true, StudyUse::kPlan);
  visitor.take({"explain", &request.explain,
                "say what binds, why devices got nothing, and what would change the plan"});
  visitor.take(
      Setting("pareto", &request.pareto,
              "plans between the goals of `objective` (latency,energy), or between latency, "
              "throughput and energy when it names one")
          .not_with({"explain", "plan", "save-plan", "robust", "spread"}));
  visitor.take(
      Setting("picture", &request.picture, "draw the plan to this file (SVG)").called(kOutputFile));
}

Planning plan(const PlanningRequest& request, const Audience& audience) {
  const StudyOptions& options = request.study;
  Planning planning;
  planning.study = prepare_study(options, cluster_of(options), {}, audience);
  const Study& study = planning.study;
  const PlanRequest asked = plan_request(options, study);
  if (request.pareto) {
    planning.front =
        pareto_front(options.plan.planner, asked, goals_of(asked.objective, study.cluster));
    return planning;
  }
  planning.time = token_time(study.plan, study.segmentation, study.cluster, study.workload);
  planning.alone = best_device_alone(PlanCosts(asked));
  planning.value = objective_value(study.plan.estimate, asked.objective);
  return planning;
}

nlohmann::json planning_json(const Planning& planning) {
  if (planning.front) return pareto_to_json(*planning.front);
  nlohmann::json json = plan_to_json(planning.study.plan);
  json.update(plan_extras_json(planning.study));
  json["token_time"] = {{"compute_s", planning.time.compute_s},
                        {"latency_s", planning.time.latency_s},
                        {"bytes_s", planning.time.bytes_s},
                        {"hops", planning.time.hops}};
  json["value"] = planning.value;
  if (const auto& alone = planning.alone)
    json["one_device_alone"] = {{"device", alone->device}, {"value", alone->value}};
  return json;
}

void explain_planning(const PlanningRequest& request, const Planning& planning,
                      const Audience& audience) {
  if (planning.front) {
    if (!request.picture.empty()) write_picture(request.picture, pareto_picture(*planning.front));
    return;
  }
  if (!request.explain && request.picture.empty()) return;
  const PlanRequest asked = plan_request(request.study, planning.study);
  const Explanation explanation = explain(planning.study.plan, asked);
  if (request.explain) audience.tell("{}", explanation_text(explanation, asked));
  if (!request.picture.empty())
    write_picture(request.picture, plan_picture(planning.study.plan, asked, explanation));
}

nlohmann::json plan_json(const PlanningRequest& request, const Audience& audience) {
  const Planning planning = plan(request, audience);
  nlohmann::json json = planning_json(planning);
  explain_planning(request, planning, audience);
  return json;
}

}  // namespace lingua
