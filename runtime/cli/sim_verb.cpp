#include <CLI/CLI.hpp>
#include <memory>

#include "runtime/cli/declare.h"
#include "runtime/cli/report.h"
#include "runtime/cli/shown_runs.h"
#include "runtime/cli/terminal.h"
#include "runtime/cli/verbs.h"
#include "runtime/report/spread_report.h"

namespace lingua {

nlohmann::json run_simulation(const SimulationRequest& request) {
  const Simulation done = simulate(request, terminal());
  report_run(done.world, done.write_messages, request.study, done.study, done.result, done.extra);
  check_all_answered(done.result);
  if (done.spread && !request.study.output.json) tell("{}", spread_line(*done.spread, "simulated"));
  return run_json(done.world, request.study, done.study, done.result, done.extra);
}

namespace {

void add_verb(CLI::App& app, const char* name, const char* summary, bool numerics) {
  auto* verb = app.add_subcommand(name, summary);
  auto request = std::make_shared<SimulationRequest>();
  request->numerics = numerics;
  OptionDeclarer declarer(*verb);
  visit_simulation(*request, declarer);
  verb->callback([request] { run_simulation(*request); });
}

}  // namespace

void add_simulate_and_emulate(CLI::App& app) {
  add_verb(
      app, "simulate",
      "run on a modelled cluster in virtual time: shapes without contents (what it leaves out: "
      "platforms/README.md)",
      false);
  add_verb(app, "emulate",
           "run on a modelled cluster in virtual time with real numerics: real tokens", true);
}

}  // namespace lingua
