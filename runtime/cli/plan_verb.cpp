#include <CLI/CLI.hpp>
#include <memory>

#include "runtime/app/results.h"
#include "runtime/base/plain_text.h"
#include "runtime/cli/declare.h"
#include "runtime/cli/shown_runs.h"
#include "runtime/cli/terminal.h"
#include "runtime/cli/verbs.h"
#include "runtime/events/report.h"
#include "runtime/report/pareto_report.h"
#include "runtime/report/plan_table.h"

namespace lingua {
namespace {

void print_tables(const PlanningRequest& request, const Planning& planning) {
  if (planning.front) {
    tell("{}", pareto_table(*planning.front));
    return;
  }
  tell("{}{}", plan_text(planning.study), token_time_line(planning.time));
  if (!planning.alone) return;
  const Objective objective = parse_objective(request.study.plan.objective);
  tell("{}", alone_line(*planning.alone, planning.value, objective));
}

}  // namespace

nlohmann::json run_planning(const PlanningRequest& request) {
  const Audience audience = terminal();
  const Planning planning = plan(request, audience);
  nlohmann::json json = planning_json(planning);
  if (request.study.output.json) {
    show(json_text(json) + "\n");
  } else {
    print_tables(request, planning);
  }
  explain_planning(request, planning, audience);
  return json;
}

void add_plan(CLI::App& app) {
  auto* verb =
      app.add_subcommand("plan", "assign the segments of a model to the devices of a cluster");
  auto request = std::make_shared<PlanningRequest>();
  OptionDeclarer declarer(*verb);
  visit_planning(*request, declarer);
  verb->callback([request] { run_planning(*request); });
}

}  // namespace lingua
