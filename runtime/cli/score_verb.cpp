#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "runtime/app/results.h"
#include "runtime/app/score.h"
#include "runtime/cli/declare.h"
#include "runtime/cli/terminal.h"
#include "runtime/cli/verbs.h"
#include "runtime/events/report.h"

namespace lingua {
namespace {

void run(const ScoreRequest& request) {
  const Score scored = score(request, terminal());
  const nlohmann::json& json = scored.json;
  if (request.study.output.json) {
    show(json_text(json) + "\n");
    return;
  }
  const Study& study = scored.study;
  tell(
      "\n{}{} on {}: {} tokens, {} predicted in windows of {}\n"
      "perplexity {:.4f}, {:.4f} bits per byte, {:.1f} tokens/s\n{}",
      study.segmentation.model, study.dtype().empty() ? "" : " in " + study.dtype(), request.file,
      json["tokens"].dump(), json["predicted"].dump(), request.context,
      json["perplexity"].get<double>(), json["bits_per_byte"].get<double>(),
      json["scored_tokens_per_s"].get<double>(), int8_line(study));
}

}  // namespace

void add_score(CLI::App& app) {
  auto* verb = app.add_subcommand("score", "how well a model predicts a text: its perplexity");
  auto request = std::make_shared<ScoreRequest>();
  OptionDeclarer declarer(*verb);
  visit_score(*request, declarer);
  verb->callback([request] { run(*request); });
}

}  // namespace lingua
