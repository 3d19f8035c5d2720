#include "runtime/app/study.h"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "runtime/app/int8_choice.h"
#include "runtime/app/model_shelf.h"
#include "runtime/app/requests.h"
#include "runtime/app/results.h"
#include "runtime/app/tensor_files.h"
#include "runtime/balance/recover.h"
#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/base/units.h"
#include "runtime/checkpoint/file_kind.h"
#include "runtime/device/drawn_cluster.h"
#include "runtime/events/report.h"
#include "runtime/planner/planner.h"
#include "runtime/predict/estimate.h"
#include "runtime/torch/own_dtype.h"
#include "runtime/torch/quantise.h"

namespace lingua {
namespace {

class ShapesOnlySource : public ModelSource {
 public:
  bool has_data() const override { return false; }
  void read(const WeightSpec&, std::int64_t, std::int64_t, std::byte*) override {
    LINGUA_CHECK(false, "shapes have no contents");
  }
  std::string program(const Segment&) override {
    LINGUA_CHECK(false, "shapes have no programs");
    return {};
  }
};

// The request as a plan from a file meets it: what its header keeps of the last segments stays there.
PlanRequest with_kept(PlanRequest request, const Plan& plan) {
  if (request.rules.header_keeps_last == 0)
    request.rules.header_keeps_last = header_keeps_last(plan.stages);
  return request;
}

Plan read_plan(const std::string& file, const PlanRequest& request, const Audience& audience) {
  nlohmann::json json;
  try {
    json = nlohmann::json::parse(read_file(file));
  } catch (const nlohmann::json::exception& error) {
    throw InputError(fmt::format("{}: is not JSON: {}", file, error.what()));
  }
  Plan plan = plan_from_json(json, file);
  if (plan.segmentation.digest.empty()) {
    audience.tell(
        "warning: {}: does not say which segmentation it is made for (field "
        "'segmentation'); taken as made for these {} segments\n",
        file, request.segmentation->segments.size());
  }
  // What was proven was proven for the workload of then.
  plan.optimality = Optimality::kHeuristic;
  plan.gap = 0;
  if (plan.planner.empty()) plan.planner = "by hand";
  try {
    check_segmentation(plan, *request.segmentation);
    check_stages(plan, *request.segmentation, *request.cluster);
    plan.model = request.segmentation->model;
    plan.cluster = request.cluster->name;
    plan.segmentation = mark_of(*request.segmentation);
    plan.transfers =
        transfers_of(*request.segmentation, plan.stages, request.workload.communication);
    plan.estimate =
        estimate_with_error(plan, *request.segmentation, *request.cluster, request.workload);
    check_plan(plan, *request.segmentation, *request.cluster, request.workload);
  } catch (const InputError& error) {
    throw InputError(fmt::format("{}: {}", file, error.what()));
  }
  if (const std::string broken = broken_rule(plan.stages, with_kept(request, plan));
      !broken.empty()) {
    throw InputError(fmt::format("{}: the plan does not keep to the rules: {}", file, broken));
  }
  return plan;
}

// Where the segmentation is cut: after these nodes.
std::vector<NodeId> cuts_of(const Segmentation& segmentation) {
  std::vector<NodeId> after;
  for (const Segment& segment : segmentation.segments) after.push_back(segment.last_node);
  after.pop_back();
  return after;
}

Plan plan_by(const StudyOptions& options, const Study& study) {
  PlanRequest request = plan_request(options, study);
  if (!options.plan.plan_file.empty())
    return read_plan(options.plan.plan_file, request, study.audience);
  const auto variants = variants_of(options, study.cluster);
  if (!options.plan.robust.empty()) request.variants = &*variants;
  return make_plan(options.plan.planner, request);
}

double parse_share(const char* option, const std::string& text) {
  try {
    return parse_quantity(text, Unit::kShare);
  } catch (const InputError& error) {
    throw UsageError(fmt::format("{}: {}", option, error.what()));
  }
}

// 0 without --max-segment-size.
double max_segment_bytes(const PartitionFlags& flags) {
  if (flags.max_segment_size.empty()) return 0;
  try {
    return parse_quantity(flags.max_segment_size, Unit::kBytes);
  } catch (const InputError& error) {
    throw UsageError(fmt::format("`max-segment-size`: {}", error.what()));
  }
}

// Nothing without --overlap.
std::optional<SecondaryOptions> secondary_options(const PlanOptions& options,
                                                  const ClusterSpec& cluster) {
  if (options.overlap == "none") {
    if (options.slow_downs.empty()) return std::nullopt;
    throw UsageError("`slow-down` says what `overlap` is for; write `overlap` gain or bytes too");
  }
  SecondaryOptions secondary;
  secondary.rule = parse_overlap_rule(options.overlap);
  for (const std::string& text : options.slow_downs) {
    secondary.slow_downs.push_back(parse_slow_down(text));
  }
  check_slow_downs(secondary.slow_downs, cluster);
  return secondary;
}

// The model in int8, cut where it is cut otherwise.
Segmentation cut_int8(const PartitionFlags& flags, const Study& study) {
  Segmentation int8 =
      cut_at(study.int8_model->graph, cuts_of(study.segmentation), recompute_of(flags));
  int8.rule = study.segmentation.rule;
  return int8;
}

// Chooses the segments that are held in int8, and plans for them.
void plan_mixed(const StudyOptions& options, Study& study) {
  const Segmentation plain = study.segmentation;
  const Segmentation int8 = cut_int8(options.partition, study);
  const auto plan = [&](const std::set<SegmentId>& chosen) {
    study.segmentation = mix_segments(plain, int8, chosen);
    study.plan = plan_by(options, study);
  };
  if (int8_kind(options.model.int8) == Int8Kind::kFit) {
    if (!options.plan.plan_file.empty()) {
      throw UsageError("`int8` fit makes a plan; with `plan` write the segments that it is for");
    }
    study.int8_segments = fewest_that_fit(int8_groups(plain, int8), plan);
  } else {
    study.int8_segments =
        listed_segments(options.model.int8, static_cast<int>(plain.segments.size()));
    plan(study.int8_segments);
  }
  if (study.model.source == nullptr) return;  // shapes without weights
  study.mixed_source =
      make_mixed_source(*study.model.source, *study.int8_model->source, study.int8_segments);
}

// A plan that cannot be written is shown: it may have taken a minute.
void save_plan(const OutputOptions& output, const Study& study) {
  const std::string json = json_text(plan_to_json(study.plan)) + "\n";
  try {
    write_file_atomically(output.save_plan, [&](std::ostream& out) { out << json; });
  } catch (const InputError&) {
    const Audience& audience = study.audience;
    if (!output.json) {
      audience.tell("{}", plan_text(study));
    } else if (audience.rescue) {
      audience.rescue(json);
    }
    throw;
  }
}

// Without a cache all positions are computed anyway, as the paper does.
Head head_of(const ModelOptions& options) { return options.no_kv_cache ? Head::kAll : Head::kLast; }

}  // namespace

void visit_study(StudyOptions& options, SettingVisitor& visitor, bool needs_cluster, StudyUse use) {
  visit_model(options.model, visitor);
  visit_int8(options.model, visitor);
  visit_partition(options.partition, visitor);
  visit_workload(options.workload, visitor);
  visit_text(options.text, visitor);
  visit_plan(options.plan, visitor, needs_cluster);
  visit_output(options.output, visitor, use == StudyUse::kRun);
  if (use == StudyUse::kRun) visit_slo(options.output.slo, visitor);
  visit_threads(options.threads, visitor);
}

std::string cluster_name(const StudyOptions& options) {
  return with_seed(options.plan.cluster, options.workload.seed);
}

ClusterSpec cluster_of(const StudyOptions& options) { return load_cluster(cluster_name(options)); }

ImportOptions import_options(const ModelOptions& options, Head default_head) {
  ImportOptions import;
  import.dtype = options.dtype == "auto" ? own_dtype(options.model).value_or(DType::kBFloat16)
                                         : parse_dtype(options.dtype);
  if (import.dtype != DType::kFloat32 && import.dtype != DType::kBFloat16) {
    throw UsageError(
        fmt::format("`dtype` {} is not offered; write auto, fp32 or bf16", options.dtype));
  }
  import.kv_cache = !options.no_kv_cache;
  import.head = options.head.empty()    ? default_head
                : options.head == "all" ? Head::kAll
                                        : Head::kLast;
  import.int8 = int8_kind(options.int8) == Int8Kind::kAll;
  import.head_pieces.count = options.head_pieces;
  import.inputs = options.inputs;
  return import;
}

ImportOptions import_options(const ModelOptions& options, const PartitionFlags& flags) {
  ImportOptions import = import_options(options, head_of(options));
  import.head_pieces.most_bytes = max_segment_bytes(flags);
  return import;
}

Recompute recompute_of(const PartitionFlags& flags) {
  return recompute_of(
      PartitionOptions{.rule = flags.rule, .recompute_norms = flags.recompute_norms});
}

Segmentation partition_by(const Graph& graph, const PartitionFlags& flags,
                          const Workload& workload) {
  PartitionOptions options;
  options.rule = flags.rule;
  options.recompute_norms = flags.recompute_norms;
  options.max_segments = flags.max_segments;
  options.max_segment_bytes = max_segment_bytes(flags);
  options.step = steps_of(workload).back();
  return partition(graph, options);
}

Study open_model(const ModelOptions& options, Head default_head, const PartitionFlags& flags,
                 const Audience& audience) {
  Study study;
  study.audience = audience;
  study.model_name = options.model;
  study.inputs = read_input_files(options.input_files);
  study.import = import_options(options, default_head);
  study.import.inputs = described_inputs(options, study.inputs);
  study.import.head_pieces.most_bytes = max_segment_bytes(flags);
  ImportOptions import = study.import;
  study.model = options.shelf ? options.shelf->take(options.model, import)
                              : import_model(options.model, import);
  if (study.model.family.empty() && options.head_pieces != 1) {
    throw UsageError(fmt::format(
        "`head-pieces`: {} is a TorchScript file; only the heads of model folders, GGUF "
        "files and published names can be cut",
        options.model));
  }
  for (const std::string& note : study.model.notes) audience.tell("note: {}\n", note);
  bind_inputs(options.model, study);
  const Int8Kind kind = int8_kind(options.int8);
  if (kind == Int8Kind::kNone) return study;
  if (study.model.family.empty()) {
    throw UsageError(
        fmt::format("`int8` {}: {} is a TorchScript file; only model folders, GGUF "
                    "files and published names can be held in int8",
                    options.int8, options.model));
  }
  if (kind == Int8Kind::kAll) return study;
  import.int8 = true;
  import.head_pieces = {study.model.head_pieces, 0};
  study.int8_model = import_model(options.model, import);
  return study;
}

void make_single_pass(const std::string& output_file, int requests, Study& study) {
  const Graph& graph = study.model.graph;
  if (study.model.is_language_model && !study.model.family.empty()) {
    throw UsageError(fmt::format(
        "`output-file` {}: {} generates tokens, which `json` shows; TorchScript files and "
        "classifiers have outputs",
        output_file, graph.model));
  }
  check_output_file(output_file, graph.outputs.size(), requests);
  study.model.is_language_model = false;
}

void open_tokenizer(const std::string& model, Study& study) {
  study.tokenizer = load_tokenizer(model);
  check_vocabulary(*study.tokenizer, study.model.vocabulary, model);
}

void partition_study(const ModelOptions& options, const PartitionFlags& flags, Study& study) {
  study.segmentation = partition_by(study.model.graph, flags, study.workload);
  const int count = static_cast<int>(study.segmentation.segments.size());
  switch (int8_kind(options.int8)) {
    case Int8Kind::kNone: return;
    case Int8Kind::kFit:
      throw UsageError("`int8` fit makes a plan; here write none, all, or numbers such as 0-3,7");
    case Int8Kind::kAll:
      for (SegmentId id = 0; id < count; ++id) study.int8_segments.insert(id);
      return;
    case Int8Kind::kListed:
      study.int8_segments = listed_segments(options.int8, count);
      study.segmentation =
          mix_segments(study.segmentation, cut_int8(flags, study), study.int8_segments);
  }
}

void check_plan_options(const StudyOptions& options, const ClusterSpec& cluster) {
  check_rules(options.plan.rules, cluster);
  parse_objective(options.plan.objective);
  if (!options.plan.battery_floor.empty())
    parse_share("`battery-floor`", options.plan.battery_floor);
  secondary_options(options.plan, cluster);
  variants_of(options, cluster);
}

void plan_spares(const StudyOptions& options, const PlanRequest& request, Study& study) {
  if (options.plan.spares == 0) return;
  study.spares =
      plan_spares(options.plan.planner, study.plan, request, {.copies = options.plan.spares});
  apply_spares(*study.spares, request, &study.plan);
}

void plan_study(const StudyOptions& options, Study& study) {
  const auto secondary = secondary_options(options.plan, study.cluster);
  study.segmentation = partition_by(study.model.graph, options.partition, study.workload);
  if (study.int8_model) {
    plan_mixed(options, study);
  } else {
    study.plan = plan_by(options, study);
    if (int8_kind(options.model.int8) == Int8Kind::kAll) {
      for (const Segment& segment : study.segmentation.segments)
        study.int8_segments.insert(segment.id);
    }
  }
  if (secondary) {
    const PlanRequest request = plan_request(options, study);
    study.secondary = secondary_plan(study.plan, request, *secondary);
    apply_secondary(*study.secondary, request, &study.plan);
  }
  plan_spares(options, plan_request(options, study), study);
  if (const auto variants = variants_of(options, study.cluster))
    study.spread = spread_of(study.plan, plan_request(options, study), *variants);
  if (!options.output.save_plan.empty()) save_plan(options.output, study);
}

std::optional<Variants> variants_of(const StudyOptions& options, const ClusterSpec& cluster) {
  constexpr int kDraws = 16;
  const bool robust = !options.plan.robust.empty();
  if (!robust && options.plan.spread.empty()) return std::nullopt;
  const char* option = robust ? "`robust`" : "`spread`";
  const double share = parse_share(option, robust ? options.plan.robust : options.plan.spread);
  if (share == 1) {
    throw UsageError(fmt::format("{} 100% leaves speeds of nothing; write less", option));
  }
  return perturbed(cluster, share, kDraws, options.workload.seed);
}

PlanRequest plan_request(const StudyOptions& options, const Study& study) {
  PlanRequest request;
  request.segmentation = &study.segmentation;
  request.cluster = &study.cluster;
  request.workload = study.workload;
  request.objective = parse_objective(options.plan.objective);
  request.rules = options.plan.rules;
  if (!options.plan.battery_floor.empty())
    request.rules.battery_floor = parse_share("`battery-floor`", options.plan.battery_floor);
  request.time_limit_s = options.plan.time_limit_s;
  request.seed = options.workload.seed;
  return options.plan.plan_file.empty() ? request : with_kept(request, study.plan);
}

Study prepare_study(const StudyOptions& options, const ClusterSpec& cluster,
                    const std::set<DeviceName>& absent, const Audience& audience) {
  check_plan_options(options, cluster);
  check_prompt_tokens(options.workload, options.model.model);
  Study study = open_model(options.model, head_of(options.model), options.partition, audience);
  const ClusterSpec in_dtype = cluster.in_dtype(study.weight_dtype());
  study.cluster = remaining_cluster(in_dtype, {absent, {}});
  if (study.cluster.devices.empty()) {
    throw UsageError(fmt::format("all devices of {} are absent when the run begins; have one there",
                                 cluster.name));
  }
  read_prompts(options.text, options.workload, options.model.model, study);
  if (!options.output.output_file.empty()) {
    make_single_pass(options.output.output_file, request_count(options.workload, study), study);
  }
  study.workload = workload_by(options.workload, study);
  const auto seed = study.workload.messages.request.sampling.seed;
  study.workload.messages.request.sampling = options.text.sampling;
  study.workload.messages.request.sampling.seed = seed;
  StudyOptions asked = options;
  asked.plan.rules = rules_among(options.plan.rules, study.cluster);
  plan_study(asked, study);
  study.cluster = in_dtype;
  return study;
}

std::unique_ptr<ModelSource> shapes_only() { return std::make_unique<ShapesOnlySource>(); }

void require_weights(const ImportedModel& model, const std::string& name) {
  if (!model.why_not_computed.empty()) {
    throw InputError(fmt::format("{}: {}", name, model.why_not_computed));
  }
  if (model.source && model.source->has_data()) return;
  std::error_code error;
  if (std::filesystem::is_directory(name, error)) {
    const std::string why = why_no_weights(name);
    if (!why.empty())
      throw InputError(fmt::format("{}: has no weights that are read: it {}", name, why));
  }
  throw InputError(
      fmt::format("{}: has no weights (model.safetensors); inspect, plan and simulate do without, "
                  "this needs them "
                  "(`lingua model random` writes random ones)",
                  name));
}

}  // namespace lingua
