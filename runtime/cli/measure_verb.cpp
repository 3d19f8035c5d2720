#include <CLI/CLI.hpp>
#include <memory>

#include "runtime/app/measuring.h"
#include "runtime/cli/declare.h"
#include "runtime/cli/terminal.h"
#include "runtime/cli/verbs.h"
#include "runtime/events/report.h"

namespace lingua {

void add_measure(CLI::App& app) {
  auto* verb = app.add_subcommand(
      "measure", "measure the workers that join and the links between them, for a cluster file");
  auto request = std::make_shared<MeasureRequest>();
  OptionDeclarer declarer(*verb);
  visit_measuring(*request, declarer);
  verb->callback([request] {
    const Measured measured = measure(*request, terminal());
    if (request->json) {
      show(json_text(measured_json(measured)) + "\n");
    } else {
      tell("\n{}", measured_text(measured));
      if (request->out.empty()) show(measured.file);
    }
  });
}

}  // namespace lingua
