#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"
#include "runtime/base/units.h"
#include "runtime/cli/answer_text.h"
#include "runtime/cli/int8_choice.h"
#include "runtime/cli/report.h"
#include "runtime/cli/requests.h"
#include "runtime/cli/tensor_files.h"
#include "runtime/cli/verbs.h"
#include "runtime/events/report.h"
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
    const auto made = static_cast<std::int64_t>(known.size()) - submit.inputs[0].elements();
    return {token, ends || !goes_on || made == submit.max_tokens};
  }

 private:
  const std::vector<Submit>& submits_;
  std::vector<std::vector<TokenId>> known_;  // prompt and answer so far
  std::optional<AnswerStreams> streams_;
};

Study open_study(const Options& options, Head head) {
  const Int8Kind int8 = int8_kind(options.model.int8);
  if (int8 != Int8Kind::kNone && int8 != Int8Kind::kAll) {
    throw UsageError(
        fmt::format("--int8 {}: the reference is not cut into segments; write none or all",
                    options.model.int8));
  }
  check_prompt_tokens(options.workload, options.model.model);
  Study study = open_model(options.model, head);
  require_weights(study.model, options.model.model);
  if (!study.model.is_language_model && !study.model.family.empty()) {
    throw InputError(
        fmt::format("{}: is a classifier; the reference runs language models and TorchScript files",
                    options.model.model));
  }
  read_prompts(options.text, options.workload, options.model.model, study);
  if (!options.output.output_file.empty()) {
    make_single_pass(options.output.output_file, request_count(options.workload, study), study);
  }
  study.workload = workload_by(options.workload, study);
  study.segmentation = partition_by(study.model.graph, {}, study.workload);
  return study;
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

void generate(const Options& options, const Study& study, const std::vector<Submit>& submits) {
  std::vector<std::vector<std::int64_t>> prompts;
  std::int64_t longest = 0;
  for (const Submit& submit : submits) {
    longest = std::max(longest, submit.max_tokens);
    const auto* ids = reinterpret_cast<const std::int64_t*>(submit.inputs[0].data.get());
    prompts.emplace_back(ids, ids + submit.inputs[0].elements());
  }
  const auto results = generate_reference(options.model.model, study.import, prompts, longest,
                                          options.threads, false, Chooser(study, submits, prompts));
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
      {"dtype", study.dtype()},
      {"tokens_per_s", static_cast<double>(tokens) / (prefill_s + decode_s)},
      {"ttft_s", prefill_s / count},
      {"tpot_s", further > 0 ? decode_s / further : 0},
      {"requests", requests}};
  if (!options.output.json) {
    tell("{}{}, unsplit, plain LibTorch: {:.2f} tokens/s, TTFT {}, TPOT {}\n",
         study.segmentation.model, study.dtype().empty() ? "" : " in " + study.dtype(),
         json["tokens_per_s"].get<double>(), format_quantity(json["ttft_s"], Unit::kSeconds),
         format_quantity(json["tpot_s"], Unit::kSeconds));
  }
  print_answers(options.output, json);
}

// One pass through a file that generates nothing.
void pass(const Options& options, const Study& study, const std::vector<Submit>& submits) {
  std::vector<std::vector<Tensor>> inputs;
  for (const Submit& submit : submits) inputs.push_back(submit.inputs);
  std::vector<std::int64_t> lengths;
  for (std::size_t i = 0; i < submits.size(); ++i)
    lengths.push_back(study.workload.prompt_length(i));
  const auto passes =
      run_reference(options.model.model, study.import, inputs, lengths, options.threads);
  std::vector<Done> answers;
  nlohmann::json requests = nlohmann::json::array();
  double seconds = 0;
  for (std::size_t i = 0; i < passes.size(); ++i) {
    answers.push_back({submits[i].request, {}, passes[i].outputs});
    nlohmann::json request = answer_json(answers.back(), study);
    request["request"] = submits[i].request;
    request["latency_s"] = passes[i].seconds;
    requests.push_back(std::move(request));
    seconds += passes[i].seconds;
  }
  const double mean_s = seconds / static_cast<double>(passes.size());
  if (!options.output.json) {
    tell("{}, unsplit, plain LibTorch: latency {}\n", study.segmentation.model,
         format_quantity(mean_s, Unit::kSeconds));
  }
  print_answers(options.output, {{"world", "reference"},
                                 {"model", study.segmentation.model},
                                 {"latency_s", mean_s},
                                 {"requests", requests}});
  if (options.output.output_file.empty()) return;
  write_outputs(options.output.output_file, answers);
  if (!options.output.json) tell("outputs: {}\n", options.output.output_file);
}

void run(const Options& options) {
  const Head head = options.model.no_kv_cache ? Head::kAll : Head::kLast;
  const Study study = open_study(options, head);
  const auto submits = make_requests(options.workload, options.text.sampling, study, true);
  if (study.model.is_language_model) {
    generate(options, study, submits);
  } else {
    pass(options, study, submits);
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
  add_output_file_option(*verb, options->output);
  verb->add_flag("--json", options->output.json, "print the results as JSON on standard output");
  add_threads_option(*verb, options->threads);
  verb->callback([options] { run(*options); });
}

}  // namespace lingua
