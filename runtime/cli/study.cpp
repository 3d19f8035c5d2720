#include "runtime/cli/study.h"

#include <fmt/format.h>

#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/base/random.h"
#include "runtime/base/units.h"
#include "runtime/plan/estimate.h"
#include "runtime/plan/planner.h"

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

Plan read_plan(const std::string& file, const Study& study) {
  nlohmann::json json;
  try {
    json = nlohmann::json::parse(read_file(file));
  } catch (const nlohmann::json::exception& error) {
    throw InputError(fmt::format("{}: is not JSON: {}", file, error.what()));
  }
  Plan plan = plan_from_json(json, file);
  plan.transfers = transfers_of(study.segmentation, plan.stages);
  plan.estimate = estimate(plan, study.segmentation, study.cluster, study.workload);
  try {
    check_plan(plan, study.segmentation, study.cluster, study.workload);
  } catch (const InputError& error) {
    throw InputError(fmt::format("{}: {}", file, error.what()));
  }
  return plan;
}

// Seeded contents of one input of a single pass. Integers are taken as indices below `bound`.
Tensor random_tensor(const TensorSpec& spec, const Step& step, Rng& rng, std::int64_t bound,
                     bool with_data) {
  Tensor tensor;
  tensor.dtype = spec.dtype;
  for (const StepFunction& dim : spec.dims)
    tensor.shape.push_back(static_cast<std::int64_t>(dim.at(step)));
  if (!with_data) return tensor;
  auto memory = allocate_bytes(tensor.bytes());
  std::memset(memory.get(), 0, static_cast<std::size_t>(tensor.bytes()));
  for (std::int64_t i = 0; i < tensor.elements(); ++i) {
    std::byte* at = memory.get() + i * dtype_bytes(tensor.dtype);
    if (tensor.dtype == DType::kFloat32) {
      const auto value = static_cast<float>(rng.normal());
      std::memcpy(at, &value, sizeof value);
    } else if (tensor.dtype == DType::kInt64) {
      const auto value = static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(bound)));
      std::memcpy(at, &value, sizeof value);
    } else if (tensor.dtype == DType::kInt32) {
      const auto value = static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(bound)));
      std::memcpy(at, &value, sizeof value);
    } else {
      throw InputError(
          fmt::format("input '{}' is {}; seeded inputs are made for float32, int64 and int32",
                      spec.name, dtype_name(spec.dtype)));
    }
  }
  tensor.data = memory;
  return tensor;
}

}  // namespace

void add_study_options(CLI::App& app, StudyOptions& options, bool cluster_required) {
  add_model_options(app, options.model);
  add_partition_flags(app, options.partition);
  add_workload_options(app, options.workload);
  add_plan_options(app, options.plan, cluster_required);
  add_output_options(app, options.output);
  add_threads_option(app, options.threads);
}

ImportedModel import_by(const ModelOptions& options, Head default_head) {
  ImportOptions import;
  import.dtype = parse_dtype(options.dtype);
  if (import.dtype != DType::kFloat32 && import.dtype != DType::kBFloat16) {
    throw UsageError(fmt::format("--dtype {} is not offered; write fp32 or bf16", options.dtype));
  }
  import.kv_cache = !options.no_kv_cache;
  import.head = options.head.empty()    ? default_head
                : options.head == "all" ? Head::kAll
                                        : Head::kLast;
  import.inputs = options.inputs;
  return import_model(options.model, import);
}

Workload workload_by(const WorkloadOptions& options, const ImportedModel& model) {
  Workload workload;
  workload.prompt_tokens = options.prompt_tokens.empty()
                               ? options.prompt_length
                               : static_cast<std::int64_t>(options.prompt_tokens.size());
  workload.max_tokens = model.is_language_model ? options.max_tokens : 0;
  workload.kv_cache = model.kv_cache;
  workload.in_flight = std::min(options.in_flight, options.requests);
  return workload;
}

Segmentation partition_by(const Graph& graph, const PartitionFlags& flags,
                          const Workload& workload) {
  PartitionOptions options;
  options.rule = flags.rule;
  options.max_segments = flags.max_segments;
  if (!flags.max_segment_size.empty()) {
    try {
      options.max_segment_bytes = parse_quantity(flags.max_segment_size, Unit::kBytes);
    } catch (const InputError& error) {
      throw UsageError(fmt::format("--max-segment-size: {}", error.what()));
    }
  }
  options.step = steps_of(workload).back();
  return partition(graph, options);
}

Study prepare_study(const StudyOptions& options, const ClusterSpec& cluster) {
  Study study;
  study.cluster = cluster;
  const bool paper_way = options.model.no_kv_cache;
  study.model = import_by(options.model, paper_way ? Head::kAll : Head::kLast);
  study.workload = workload_by(options.workload, study.model);
  study.segmentation = partition_by(study.model.graph, options.partition, study.workload);
  for (std::int64_t token : options.workload.prompt_tokens) {
    if (token < 0 || (study.model.is_language_model && token >= study.model.vocabulary)) {
      throw UsageError(fmt::format("--prompt-tokens: {} is no token of {}; write 0 to {}", token,
                                   options.model.model, study.model.vocabulary - 1));
    }
  }
  if (!options.plan.plan_file.empty()) {
    study.plan = read_plan(options.plan.plan_file, study);
  } else {
    PlanRequest request;
    request.segmentation = &study.segmentation;
    request.cluster = &study.cluster;
    request.workload = study.workload;
    request.objective = parse_objective(options.plan.objective);
    request.time_limit_s = options.plan.time_limit_s;
    request.seed = options.workload.seed;
    study.plan = make_plan(options.plan.planner, request);
  }
  if (!options.output.save_plan.empty()) {
    write_file_atomically(options.output.save_plan, [&](std::ostream& out) {
      out << plan_to_json(study.plan).dump(2) << '\n';
    });
  }
  return study;
}

std::vector<Submit> make_requests(const WorkloadOptions& options, const Study& study,
                                  bool with_data) {
  std::vector<Submit> requests;
  const auto& inputs = study.segmentation.model_inputs;
  const std::int64_t vocabulary = std::max<std::int64_t>(study.model.vocabulary, 2);
  for (int r = 0; r < options.requests; ++r) {
    Rng rng(options.seed * 1000003 + static_cast<std::uint64_t>(r));
    Submit submit;
    submit.request = r;
    submit.kv_cache = study.workload.kv_cache;
    submit.max_tokens = study.workload.max_tokens;
    if (!options.ignore_eos) submit.stop_tokens = study.model.stop_tokens;
    const Step step{study.workload.prompt_tokens, 0};
    if (!study.model.is_language_model) {
      for (const TensorSpec& input : inputs) {
        submit.inputs.push_back(random_tensor(input, step, rng, vocabulary, with_data));
      }
      requests.push_back(std::move(submit));
      continue;
    }
    LINGUA_CHECK(inputs.size() == 1);
    std::vector<std::int64_t> tokens = options.prompt_tokens;
    while (static_cast<std::int64_t>(tokens.size()) < study.workload.prompt_tokens) {
      tokens.push_back(
          static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(vocabulary))));
    }
    Tensor prompt = make_int64_tensor(tokens);
    prompt.shape.clear();
    for (const StepFunction& dim : inputs[0].dims)
      prompt.shape.push_back(static_cast<std::int64_t>(dim.at(step)));
    submit.inputs.push_back(std::move(prompt));
    submit.capacity = study.workload.capacity();
    requests.push_back(std::move(submit));
  }
  return requests;
}

std::unique_ptr<ModelSource> shapes_only() { return std::make_unique<ShapesOnlySource>(); }

void require_weights(const ImportedModel& model, const std::string& name) {
  if (model.source && model.source->has_data()) return;
  throw InputError(
      fmt::format("{}: has no weights (model.safetensors); inspect, plan and simulate do without, "
                  "this needs them "
                  "(`lingua model random` writes random ones)",
                  name));
}

}  // namespace lingua
