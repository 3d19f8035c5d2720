#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/units.h"
#include "runtime/cli/answer_text.h"
#include "runtime/cli/int8_choice.h"
#include "runtime/cli/report.h"
#include "runtime/cli/requests.h"
#include "runtime/cli/verbs.h"
#include "runtime/text/sampling.h"

namespace lingua {
namespace {

struct Options {
  ModelOptions model;
  WorkloadOptions workload;
  TextOptions text;
  OutputOptions output;
  int threads = 0;
};

// Chooses tokens as a tailer does, and ends an answer as a header and a coordinator do.
class Chooser {
 public:
  Chooser(const Study& study, const std::vector<Submit>& submits,
          std::vector<std::vector<TokenId>> prompts)
      : submits_(submits), known_(std::move(prompts)) {
    if (study.tokenizer)
      streams_.emplace(*study.tokenizer, study.stop_strings, [](auto, const auto&) {});
  }

  Choice operator()(std::size_t prompt, const Tensor& logits) {
    const Submit& submit = submits_.at(prompt);
    std::vector<TokenId>& known = known_.at(prompt);
    const auto window =
        std::min(known.size(), static_cast<std::size_t>(submit.sampling.repetition_window));
    const TokenId token =
        sample_token(logits, submit.sampling, static_cast<std::int64_t>(known.size()),
                     {known.end() - static_cast<std::ptrdiff_t>(window), known.end()});
    known.push_back(token);
    const auto& stops = submit.stop_tokens;
    const bool ends = std::find(stops.begin(), stops.end(), token) != stops.end();
    const bool goes_on = !streams_ || streams_->take({submit.request, 0, token});
    return {token, ends || !goes_on};
  }

 private:
  const std::vector<Submit>& submits_;
  std::vector<std::vector<TokenId>> known_;  // prompt and answer so far
  std::optional<AnswerStreams> streams_;
};

void run(const Options& options) {
  const Head head = options.model.no_kv_cache ? Head::kAll : Head::kLast;
  const Int8Kind int8 = int8_kind(options.model.int8);
  if (int8 != Int8Kind::kNone && int8 != Int8Kind::kAll) {
    throw UsageError(
        fmt::format("--int8 {}: the reference is not cut into segments; write none or "
                    "all",
                    options.model.int8));
  }
  Study study = open_model(options.model, head);
  require_weights(study.model, options.model.model);
  if (!study.model.is_language_model) {
    throw InputError(fmt::format("{}: is no language model; the reference generates tokens",
                                 options.model.model));
  }
  read_prompts(options.text, options.workload, options.model.model, study);
  study.workload = workload_by(options.workload, study);
  study.segmentation = partition_by(study.model.graph, {}, study.workload);
  const auto submits = make_requests(options.workload, options.text.sampling, study, true);
  std::vector<std::vector<std::int64_t>> prompts;
  for (const Submit& submit : submits) {
    const auto* ids = reinterpret_cast<const std::int64_t*>(submit.inputs[0].data.get());
    prompts.emplace_back(ids, ids + submit.inputs[0].elements());
  }
  const auto results = generate_reference(options.model.model, import_options(options.model, head),
                                          prompts, study.workload.max_tokens, options.threads,
                                          false, Chooser(study, submits, prompts));
  nlohmann::json requests = nlohmann::json::array();
  double prefill_s = 0;
  double decode_s = 0;
  std::int64_t tokens = 0;
  for (std::size_t i = 0; i < results.size(); ++i) {
    prefill_s += results[i].prefill_s;
    decode_s += results[i].decode_s;
    tokens += static_cast<std::int64_t>(results[i].tokens.size());
    nlohmann::json request = answer_json({submits[i].request, results[i].tokens, {}}, study);
    request["request"] = submits[i].request;
    requests.push_back(std::move(request));
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
    if (request.contains("text")) {
      fmt::print("{}\n", request["text"].get<std::string>());
    } else {
      fmt::print(stderr, "request {}: {}\n", request["request"].dump(), request["tokens"].dump());
    }
  }
}

}  // namespace

void add_reference(CLI::App& app) {
  auto* verb = app.add_subcommand(
      "reference",
      "the unsplit model in plain LibTorch, one process: what every other way must equal");
  auto options = std::make_shared<Options>();
  add_model_options(*verb, options->model);
  add_int8_option(*verb, options->model);
  add_workload_options(*verb, options->workload);
  add_text_options(*verb, options->text);
  verb->add_flag("--json", options->output.json, "print the results as JSON on standard output");
  add_threads_option(*verb, options->threads);
  verb->callback([options] { run(*options); });
}

}  // namespace lingua
