#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "runtime/base/files.h"
#include "runtime/base/units.h"
#include "runtime/cli/report.h"
#include "runtime/cli/study.h"
#include "runtime/cli/verbs.h"
#include "runtime/plan/explain.h"
#include "runtime/plan/plan_picture.h"

namespace lingua {
namespace {

struct PlanVerbOptions {
  StudyOptions study;
  bool explain = false;
  std::string picture;
};

void print_plan(const PlanVerbOptions& options, const Study& study) {
  if (options.study.output.json) {
    nlohmann::json json = plan_to_json(study.plan);
    json.update(plan_extras_json(study));
    fmt::print("{}\n", json.dump(2));
    return;
  }
  fmt::print(stderr, "{}", plan_text(study));
}

void explain_plan(const PlanVerbOptions& options, const Study& study) {
  const PlanRequest request = plan_request(options.study, study);
  const Explanation explanation = explain(study.plan, request);
  if (options.explain) fmt::print(stderr, "{}", explanation_text(explanation, request));
  if (options.picture.empty()) return;
  write_file_atomically(options.picture, [&](std::ostream& out) {
    out << plan_picture(study.plan, request, explanation);
  });
}

}  // namespace

void add_plan(CLI::App& app) {
  auto* verb =
      app.add_subcommand("plan", "assign the segments of a model to the devices of a cluster");
  auto options = std::make_shared<PlanVerbOptions>();
  add_study_options(*verb, options->study, true);
  verb->add_flag("--explain", options->explain,
                 "say what binds, why devices got nothing, and what would change the plan");
  verb->add_option("--picture", options->picture, "draw the plan to this file (SVG)");
  verb->callback([options] {
    const Study study = prepare_study(options->study, load_cluster(options->study.plan.cluster));
    print_plan(*options, study);
    if (options->explain || !options->picture.empty()) explain_plan(*options, study);
  });
}

}  // namespace lingua
