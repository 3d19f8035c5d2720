#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "runtime/base/units.h"
#include "runtime/cli/report.h"
#include "runtime/cli/study.h"
#include "runtime/cli/verbs.h"
#include "runtime/events/report.h"

namespace lingua {
namespace {

struct Options {
  ModelOptions model;
  PartitionFlags partition;
  std::int64_t tokens = 11;
  std::int64_t cached = 0;
  bool all_cuts = false;
  bool json = false;
};

struct KindTotals {
  std::int64_t nodes = 0;
  double flops = 0;
  double bytes = 0;
};

std::map<std::string, KindTotals> totals_by_kind(const Graph& graph, const Step& step) {
  std::map<std::string, KindTotals> totals;
  for (const Node& node : graph.nodes) {
    KindTotals& row = totals[node.kind];
    ++row.nodes;
    row.flops += node.flops.at(step);
    row.bytes += node.bytes_moved.at(step);
  }
  return totals;
}

double state_bytes(const Graph& graph, std::int64_t capacity) {
  double sum = 0;
  for (const Value& value : graph.values) {
    if (value.kind != ValueKind::kState) continue;
    sum += StateSpec{0, value.name, value.dtype, value.state_shape}.bytes(capacity);
  }
  return sum;
}

// Of all segments, a weight that several hold counted once.
double weights_bytes(const Segmentation& segmentation) {
  std::map<std::string, double> weights;
  for (const Segment& segment : segmentation.segments) {
    for (const WeightSpec& weight : segment.weights) {
      weights[weight.name] = static_cast<double>(weight.bytes());
    }
  }
  double sum = 0;
  for (const auto& [name, bytes] : weights) sum += bytes;
  return sum;
}

nlohmann::json inspect_json(const Options& options, const Study& study,
                            const std::vector<Cut>& cuts, const Step& step) {
  const ImportedModel& model = study.model;
  const Segmentation& segmentation = study.segmentation;
  const Graph& graph = model.graph;
  nlohmann::json json = {
      {"model", graph.model},
      {"step", {{"new_tokens", step.new_tokens}, {"cached_tokens", step.cached_tokens}}},
      {"nodes", graph.nodes.size()},
      {"flops", graph.flops().at(step)},
      {"flops_as_function", graph.flops().to_string()},
      {"weights_bytes", weights_bytes(segmentation)},
      {"state_bytes_per_token", state_bytes(graph, 1)},
      {"is_language_model", model.is_language_model},
      {"vocabulary", model.vocabulary},
      {"rule", segmentation.rule}};
  for (const auto& [kind, row] : totals_by_kind(graph, step)) {
    json["kinds"].push_back(
        {{"kind", kind}, {"nodes", row.nodes}, {"flops", row.flops}, {"bytes_moved", row.bytes}});
  }
  for (const Segment& segment : segmentation.segments) {
    double in = 0;
    double out = 0;
    for (const TensorSpec& spec : segment.inputs) in += spec.bytes.at(step);
    for (const TensorSpec& spec : segment.outputs) out += spec.bytes.at(step);
    json["segments"].push_back({{"id", segment.id},
                                {"name", segment.name},
                                {"first_node", segment.first_node},
                                {"last_node", segment.last_node},
                                {"flops", segment.flops.at(step)},
                                {"bytes_moved", segment.bytes_moved.at(step)},
                                {"weights_bytes", segment.weights_bytes()},
                                {"input_bytes", in},
                                {"output_bytes", out}});
  }
  for (const Cut& cut : cuts) {
    json["cuts"].push_back({{"after_node", cut.after},
                            {"allowed", cut.allowed},
                            {"why_not", cut.why_not},
                            {"live_bytes", cut.live_bytes.at(step)},
                            {"live_values", cut.live_values}});
  }
  json.update(plan_extras_json(study));
  json["segment_count"] = segmentation.segments.size();
  return json;
}

void print_tables(const Options& options, const Study& study, const std::vector<Cut>& cuts,
                  const Step& step) {
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
  for (const Cut& cut : cuts) {
    if (!cut.allowed && !options.all_cuts) continue;
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

}  // namespace

void add_inspect(CLI::App& app) {
  auto* verb =
      app.add_subcommand("inspect", "show a model's operations, totals, cuts and segments");
  auto options = std::make_shared<Options>();
  add_model_options(*verb, options->model);
  add_int8_option(*verb, options->model);
  add_partition_flags(*verb, options->partition);
  verb->add_option("--prompt-length", options->tokens, "new tokens of the step that is counted")
      ->capture_default_str()
      ->check(CLI::Range(1, 1 << 20));
  verb->add_option("--cached-tokens", options->cached, "tokens already in the KV cache")
      ->capture_default_str()
      ->check(CLI::Range(0, 1 << 20));
  verb->add_flag("--all-cuts", options->all_cuts,
                 "also print the positions where no cut is possible, and why");
  verb->add_flag("--json", options->json, "print the results as JSON on standard output");
  verb->callback([options] {
    Study study = open_model(options->model, Head::kAll, options->partition);
    const Step step{options->tokens, options->cached};
    study.workload.prompt_tokens = step.new_tokens;
    study.workload.max_tokens = 0;
    partition_study(options->model, options->partition, study);
    const auto cuts = all_cuts(study.model.graph, recompute_of(options->partition));
    if (options->json) {
      show(json_text(inspect_json(*options, study, cuts, step)) + "\n");
    } else {
      print_tables(*options, study, cuts, step);
    }
  });
}

}  // namespace lingua
