#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "runtime/base/errors.h"
#include "runtime/base/random.h"
#include "runtime/cli/study.h"
#include "runtime/cli/verbs.h"

namespace lingua {
namespace {

struct Options {
  ModelOptions model;
  WorkloadOptions workload;
  OutputOptions output;
  int threads = 0;
};

void run(const Options& options) {
  const Head head = options.model.no_kv_cache ? Head::kAll : Head::kLast;
  Study study;
  study.model = import_by(options.model, head);
  require_weights(study.model, options.model.model);
  if (!study.model.is_language_model) {
    throw InputError(fmt::format("{}: is no language model; the reference generates tokens",
                                 options.model.model));
  }
  study.workload = workload_by(options.workload, study.model);
  study.segmentation = partition_by(study.model.graph, {}, study.workload);
  ImportOptions import;
  import.dtype = parse_dtype(options.model.dtype);
  import.kv_cache = !options.model.no_kv_cache;
  import.head = options.model.head.empty()    ? head
                : options.model.head == "all" ? Head::kAll
                                              : Head::kLast;
  import.inputs = options.model.inputs;
  const auto submits = make_requests(options.workload, study, true);
  std::vector<std::vector<std::int64_t>> prompts;
  for (const Submit& submit : submits) {
    const auto* ids = reinterpret_cast<const std::int64_t*>(submit.inputs[0].data.get());
    prompts.emplace_back(ids, ids + submit.inputs[0].elements());
  }
  const auto results = generate_reference(options.model.model, import, prompts,
                                          study.workload.max_tokens, options.threads, false);
  nlohmann::json requests = nlohmann::json::array();
  double prefill_s = 0;
  double decode_s = 0;
  std::int64_t tokens = 0;
  for (std::size_t i = 0; i < results.size(); ++i) {
    prefill_s += results[i].prefill_s;
    decode_s += results[i].decode_s;
    tokens += static_cast<std::int64_t>(results[i].tokens.size());
    requests.push_back({{"request", submits[i].request}, {"tokens", results[i].tokens}});
  }
  const double count = static_cast<double>(submits.size());
  const double further = static_cast<double>(tokens) - count;
  const nlohmann::json json = {
      {"world", "reference"},
      {"model", study.segmentation.model},
      {"tokens_per_s", static_cast<double>(tokens) / (prefill_s + decode_s)},
      {"ttft_s", prefill_s / count},
      {"tpot_s", further > 0 ? decode_s / further : 0},
      {"requests", requests}};
  if (options.output.json) {
    fmt::print("{}\n", json.dump(2));
    return;
  }
  fmt::print(stderr, "{}, unsplit, plain LibTorch: {:.2f} tokens/s, TTFT {}, TPOT {}\n",
             study.segmentation.model, json["tokens_per_s"].get<double>(),
             format_quantity(json["ttft_s"], Unit::kSeconds),
             format_quantity(json["tpot_s"], Unit::kSeconds));
  for (const auto& request : requests) {
    fmt::print(stderr, "request {}: {}\n", request["request"].dump(), request["tokens"].dump());
  }
}

}  // namespace

void add_reference(CLI::App& app) {
  auto* verb = app.add_subcommand(
      "reference",
      "the unsplit model in plain LibTorch, one process: what every other way must equal");
  auto options = std::make_shared<Options>();
  add_model_options(*verb, options->model);
  add_workload_options(*verb, options->workload);
  verb->add_flag("--json", options->output.json, "print the results as JSON on standard output");
  add_threads_option(*verb, options->threads);
  verb->callback([options] { run(*options); });
}

}  // namespace lingua
