#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "runtime/base/files.h"
#include "runtime/base/plain_text.h"
#include "runtime/base/units.h"
#include "runtime/cli/output_paths.h"
#include "runtime/cli/report.h"
#include "runtime/cli/study.h"
#include "runtime/cli/verbs.h"
#include "runtime/events/report.h"
#include "runtime/planner/study/best_alone.h"
#include "runtime/planner/study/explain.h"
#include "runtime/planner/study/pareto.h"
#include "runtime/predict/estimate.h"
#include "runtime/predict/token_time.h"
#include "runtime/report/explanation_text.h"
#include "runtime/report/pareto_report.h"
#include "runtime/report/plan_picture.h"
#include "runtime/report/plan_table.h"

namespace lingua {
namespace {

struct PlanVerbOptions {
  StudyOptions study;
  bool explain = false;
  bool pareto = false;
  std::string picture;
};

void print_plan(const PlanVerbOptions& options, const Study& study) {
  const PlanRequest request = plan_request(options.study, study);
  const TokenTime time = token_time(study.plan, study.segmentation, study.cluster, study.workload);
  const std::optional<BestAlone> alone = best_device_alone(PlanCosts(request));
  const double value = objective_value(study.plan.estimate, request.objective);
  if (options.study.output.json) {
    nlohmann::json json = plan_to_json(study.plan);
    json.update(plan_extras_json(study));
    json["token_time"] = {{"compute_s", time.compute_s},
                          {"latency_s", time.latency_s},
                          {"bytes_s", time.bytes_s},
                          {"hops", time.hops}};
    json["value"] = value;
    if (alone) json["one_device_alone"] = {{"device", alone->device}, {"value", alone->value}};
    show(json_text(json) + "\n");
    return;
  }
  tell("{}{}", plan_text(study), token_time_line(time));
  if (alone) tell("{}", alone_line(*alone, value, request.objective));
}

void write_picture(const std::string& file, const std::string& picture) {
  write_file_atomically(file, [&](std::ostream& out) { out << picture; });
}

void explain_plan(const PlanVerbOptions& options, const Study& study) {
  const PlanRequest request = plan_request(options.study, study);
  const Explanation explanation = explain(study.plan, request);
  if (options.explain) tell("{}", explanation_text(explanation, request));
  if (options.picture.empty()) return;
  write_picture(options.picture, plan_picture(study.plan, request, explanation));
}

// The plans between the objective's goals, for a study that has its model, cluster and workload.
void plan_front(const PlanVerbOptions& options, const Study& study) {
  const PlanRequest request = plan_request(options.study, study);
  const ParetoFront front =
      pareto_front(options.study.plan.planner, request, goals_of(request.objective, study.cluster));
  if (options.study.output.json) {
    show(json_text(pareto_to_json(front)) + "\n");
  } else {
    tell("{}", pareto_table(front));
  }
  if (!options.picture.empty()) write_picture(options.picture, pareto_picture(front));
}

}  // namespace

void add_plan(CLI::App& app) {
  auto* verb =
      app.add_subcommand("plan", "assign the segments of a model to the devices of a cluster");
  auto options = std::make_shared<PlanVerbOptions>();
  add_study_options(*verb, options->study, true);
  // Of requests that were answered, and of messages that were sent.
  for (const char* other : {"--slo", "--trace-messages"})
    verb->remove_option(verb->get_option(other));
  verb->add_flag("--explain", options->explain,
                 "say what binds, why devices got nothing, and what would change the plan");
  auto* pareto =
      verb->add_flag("--pareto", options->pareto,
                     "plans between the goals of --objective (latency,energy), or between latency, "
                     "throughput and energy when it names one");
  for (const char* other : {"--explain", "--plan", "--save-plan", "--robust", "--spread"})
    pareto->excludes(other);
  verb->add_option("--picture", options->picture, "draw the plan to this file (SVG)")
      ->type_name(kOutputFile);
  verb->callback([options] {
    const Study study = prepare_study(options->study, load_cluster(options->study.plan.cluster));
    if (options->pareto) {
      plan_front(*options, study);
      return;
    }
    print_plan(*options, study);
    if (options->explain || !options->picture.empty()) explain_plan(*options, study);
  });
}

}  // namespace lingua
