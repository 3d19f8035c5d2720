#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "runtime/base/units.h"
#include "runtime/cli/report.h"
#include "runtime/cli/study.h"
#include "runtime/cli/verbs.h"
#include "runtime/plan/plan.h"

namespace lingua {

void add_plan(CLI::App& app) {
  auto* verb =
      app.add_subcommand("plan", "assign the segments of a model to the devices of a cluster");
  auto options = std::make_shared<StudyOptions>();
  add_study_options(*verb, *options, true);
  verb->callback([options] {
    const Study study = prepare_study(*options, load_cluster(options->plan.cluster));
    if (options->output.json) {
      nlohmann::json json = plan_to_json(study.plan);
      if (!study.int8_segments.empty()) json["int8_segments"] = study.int8_segments;
      fmt::print("{}\n", json.dump(2));
      return;
    }
    fmt::print(stderr, "{}{}", plan_table(study.plan, study.segmentation), int8_line(study));
  });
}

}  // namespace lingua
