// `lingua rerun`: a point of a sweep again alone, with its tables, its timeline and its log.

#include <CLI/CLI.hpp>
#include <memory>

#include "runtime/app/json_settings.h"
#include "runtime/app/sweeping.h"
#include "runtime/app/version.h"
#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"
#include "runtime/cli/declare.h"
#include "runtime/cli/shown_runs.h"
#include "runtime/cli/terminal.h"
#include "runtime/cli/verbs.h"

namespace lingua {
namespace {

using nlohmann::json;

constexpr int kDifferent = 1;

struct RerunVerbOptions {
  std::string database;
  std::string which;
  OutputOptions output;
};

// How results differ from those of the row, a line for each.
std::vector<std::string> differences(const json& now, const json& row) {
  std::vector<std::string> lines;
  for (const auto& [name, value] : row.items()) {
    const auto found = now.find(name);
    if (found == now.end()) {
      lines.push_back(fmt::format("{}: was {}, is not there", name, value.dump()));
    } else if (*found != value) {
      lines.push_back(fmt::format("{}: was {}, is {}", name, value.dump(), found->dump()));
    }
  }
  return lines;
}

json run_again(const SweepTask& task, const OutputOptions& output) {
  if (task.what == "plan") {
    auto request = request_of<PlanningRequest>(task.settings, visit_planning);
    request.study.output = output;
    return run_planning(request);
  }
  auto request = request_of<SimulationRequest>(task.settings, visit_simulation);
  const std::string slo = request.study.output.slo;
  request.study.output = output;
  request.study.output.slo = slo;
  return run_simulation(request);
}

// Files that are not what they were when the row was made.
void tell_changed_files(const SweepTask& task, const SweepTools& tools) {
  const json now = tools.resolve(task.settings);
  for (const auto& [name, digest] : task.resolved.items()) {
    if (now.value(name, json()) == digest) continue;
    tell("lingua rerun: what --{} names has changed since ({})\n", name,
         task.settings.value(name, json()).dump());
  }
}

void rerun(const RerunVerbOptions& options) {
  const SweepRow row = find_in_sweep(options.database, options.which);
  const SweepTask task = task_of(row);
  const SweepTools tools = sweep_tools(version_id());
  tell("point {} ({}): {}\n", row.number, row.id, command_of_point(task.what, task.settings));
  if (row.version != tools.version)
    tell("lingua rerun: the row is of version {}, this is {}\n", row.version, tools.version);
  tell_changed_files(task, tools);
  if (!row.done) tell("it has failed: {}\n", row.reason);
  const json now = run_again(task, options.output);
  if (!row.done) return tell("now it does not fail\n");
  const auto lines = differences(results_as_kept(options.database, now), json::parse(row.results));
  for (const std::string& line : lines) tell("  {}\n", line);
  if (!lines.empty()) throw CLI::RuntimeError(kDifferent);
  tell("all results are those of the row\n");
}

}  // namespace

void add_rerun(CLI::App& app) {
  auto* verb = app.add_subcommand(
      "rerun", "a point of a sweep again alone; exit code 1: its results are not those of its row");
  auto options = std::make_shared<RerunVerbOptions>();
  verb->add_option("database", options->database, "the database of a sweep")
      ->required()
      ->type_name(kInputPath);
  verb->add_option("point", options->which, "its number, or as much of its id as tells it apart")
      ->required();
  OptionDeclarer declarer(*verb);
  visit_output(options->output, declarer);
  verb->callback([options] { rerun(*options); });
}

}  // namespace lingua
