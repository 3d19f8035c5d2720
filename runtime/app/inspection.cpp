#include "runtime/app/inspection.h"

#include "runtime/app/results.h"

namespace lingua {

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

nlohmann::json inspection_json(const Inspection& inspection) {
  const Study& study = inspection.study;
  const Step& step = inspection.step;
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
  for (const Cut& cut : inspection.cuts) {
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

void visit_inspection(InspectRequest& request, SettingVisitor& visitor) {
  visit_model(request.model, visitor);
  visit_int8(request.model, visitor);
  visit_partition(request.partition, visitor);
  visitor.take(Setting("prompt-length", &request.tokens, "new tokens of the step that is counted")
                   .in(1, 1 << 20));
  visitor.take(
      Setting("cached-tokens", &request.cached, "tokens already in the KV cache").in(0, 1 << 20));
  visitor.take({"all-cuts", &request.all_cuts,
                "also print the positions where no cut is possible, and why"});
  visit_json(request.json, visitor);
}

Inspection inspect(const InspectRequest& request, const Audience& audience) {
  Inspection inspection;
  Study& study = inspection.study =
      open_model(request.model, Head::kAll, request.partition, audience);
  inspection.step = {request.tokens, request.cached};
  study.workload.prompt_tokens = inspection.step.new_tokens;
  study.workload.max_tokens = 0;
  partition_study(request.model, request.partition, study);
  inspection.cuts = all_cuts(study.model.graph, recompute_of(request.partition));
  return inspection;
}

}  // namespace lingua
