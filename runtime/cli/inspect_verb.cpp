#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "runtime/app/inspection.h"
#include "runtime/app/results.h"
#include "runtime/base/units.h"
#include "runtime/cli/declare.h"
#include "runtime/cli/terminal.h"
#include "runtime/cli/verbs.h"
#include "runtime/events/report.h"

namespace lingua {
namespace {

void print_tables(const InspectRequest& request, const Inspection& inspection) {
  const Study& study = inspection.study;
  const Step& step = inspection.step;
  const Segmentation& segmentation = study.segmentation;
  const Graph& graph = study.model.graph;
  const auto bytes = [](double value) { return format_quantity(value, Unit::kBytes); };
  std::string text = fmt::format(
      "{}: {} operations, {:.4g} GFLOP for {} new tokens after {} cached, weights {}, KV cache {} "
      "per token\n",
      graph.model, graph.nodes.size(), graph.flops().at(step) / 1e9, step.new_tokens,
      step.cached_tokens, bytes(weights_bytes(segmentation)), bytes(state_bytes(graph, 1)));
  text += fmt::format("FLOPs as a function of n new and p cached tokens: {}\n\n",
                      graph.flops().to_string());
  text += fmt::format("{:<36} {:>6} {:>12} {:>12}\n", "operation", "nodes", "MFLOP", "moved");
  for (const auto& [kind, row] : totals_by_kind(graph, step)) {
    text += fmt::format("{:<36} {:>6} {:>12.4g} {:>12}\n", kind, row.nodes, row.flops / 1e6,
                        bytes(row.bytes));
  }
  text += fmt::format("\n{:<8} {:<36} {:>12} {:>7}  {}\n", "cut", "after", "live", "values",
                      "possible");
  for (const Cut& cut : inspection.cuts) {
    if (!cut.allowed && !request.all_cuts) continue;
    const Node& node = graph.nodes[static_cast<std::size_t>(cut.after)];
    text += fmt::format("{:<8} {:<36} {:>12} {:>7}  {}\n", cut.after, node.kind,
                        bytes(cut.live_bytes.at(step)), cut.live_values,
                        cut.allowed ? "yes" : "no: " + cut.why_not);
  }
  text += fmt::format("\n{} segments by rule '{}':\n{:<4} {:<28} {:>12} {:>12} {:>12} {:>12}\n",
                      segmentation.segments.size(), segmentation.rule, "id", "segment", "MFLOP",
                      "weights", "in", "out");
  for (const Segment& segment : segmentation.segments) {
    double in = 0;
    double out = 0;
    for (const TensorSpec& spec : segment.inputs) in += spec.bytes.at(step);
    for (const TensorSpec& spec : segment.outputs) out += spec.bytes.at(step);
    text += fmt::format("{:<4} {:<28} {:>12.4g} {:>12} {:>12} {:>12}\n", segment.id, segment.name,
                        segment.flops.at(step) / 1e6, bytes(segment.weights_bytes()), bytes(in),
                        bytes(out));
  }
  show(text + int8_line(study));
}

void run(const InspectRequest& request) {
  const Inspection inspection = inspect(request, terminal());
  if (request.json) {
    show(json_text(inspection_json(inspection)) + "\n");
  } else {
    print_tables(request, inspection);
  }
}

}  // namespace

void add_inspect(CLI::App& app) {
  auto* verb =
      app.add_subcommand("inspect", "show a model's operations, totals, cuts and segments");
  auto request = std::make_shared<InspectRequest>();
  OptionDeclarer declarer(*verb);
  visit_inspection(*request, declarer);
  verb->callback([request] { run(*request); });
}

}  // namespace lingua
