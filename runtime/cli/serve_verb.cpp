#include <CLI/CLI.hpp>
#include <memory>

#include "runtime/app/serving.h"
#include "runtime/cli/declare.h"
#include "runtime/cli/terminal.h"
#include "runtime/cli/verbs.h"

namespace lingua {

void add_serve(CLI::App& app) {
  auto* verb = app.add_subcommand(
      "serve", "answer OpenAI's API over HTTP with a model that is spread over workers");
  auto request = std::make_shared<ServeRequest>();
  OptionDeclarer declarer(*verb);
  visit_serving(*request, declarer);
  verb->callback([request] { serve(*request, terminal()); });
}

}  // namespace lingua
