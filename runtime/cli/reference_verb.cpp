#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "runtime/app/reference.h"
#include "runtime/app/results.h"
#include "runtime/base/units.h"
#include "runtime/cli/declare.h"
#include "runtime/cli/terminal.h"
#include "runtime/cli/verbs.h"
#include "runtime/events/report.h"

namespace lingua {
namespace {

std::string speed_line(const Study& study, const nlohmann::json& json) {
  const auto time = [&](const char* name) { return format_quantity(json[name], Unit::kSeconds); };
  if (!json.contains("tokens_per_s"))
    return fmt::format("{}, unsplit, plain LibTorch: latency {}\n", study.segmentation.model,
                       time("latency_s"));
  return fmt::format("{}{}, unsplit, plain LibTorch: {:.2f} tokens/s, TTFT {}, TPOT {}\n",
                     study.segmentation.model, study.dtype().empty() ? "" : " in " + study.dtype(),
                     json["tokens_per_s"].get<double>(), time("ttft_s"), time("tpot_s"));
}

void print_answers(const OutputOptions& output, const nlohmann::json& json) {
  if (output.json) {
    show(json_text(json) + "\n");
    return;
  }
  for (const auto& request : json["requests"]) {
    if (request.contains("text")) {
      show(request["text"].get<std::string>() + "\n");
    } else {
      const char* key = request.contains("tokens") ? "tokens" : "outputs";
      fmt::print(stderr, "request {}: {}\n", request["request"].dump(), request[key].dump());
    }
  }
}

void run(const ReferenceRequest& request) {
  const Audience audience = terminal();
  const Reference done = compute_reference(request, audience);
  if (!request.output.json) tell("{}", speed_line(done.study, done.json));
  print_answers(request.output, done.json);
  if (!done.answers.empty()) outputs_writer(request.output, done.answers, audience)();
}

}  // namespace

void add_reference(CLI::App& app) {
  auto* verb = app.add_subcommand(
      "reference",
      "the unsplit model in plain LibTorch, one process: what every other way must equal");
  auto request = std::make_shared<ReferenceRequest>();
  OptionDeclarer declarer(*verb);
  visit_reference(*request, declarer);
  verb->callback([request] { run(*request); });
}

}  // namespace lingua
