#include "runtime/app/reference.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "runtime/app/answer_text.h"
#include "runtime/app/int8_choice.h"
#include "runtime/app/requests.h"
#include "runtime/app/results.h"
#include "runtime/base/errors.h"
#include "runtime/text/sampling.h"

namespace lingua {
namespace {

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

Study open_study(const ReferenceRequest& options, Head head, const Audience& audience) {
  const Int8Kind int8 = int8_kind(options.model.int8);
  if (int8 != Int8Kind::kNone && int8 != Int8Kind::kAll) {
    throw UsageError(
        fmt::format("`int8` {}: the reference is not cut into segments; write none or all",
                    options.model.int8));
  }
  check_prompt_tokens(options.workload, options.model.model);
  Study study = open_model(options.model, head, {}, audience);
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

nlohmann::json generate(const ReferenceRequest& options, const Study& study,
                        const std::vector<Submit>& submits) {
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
  return {{"world", "reference"},
          {"model", study.segmentation.model},
          {"dtype", study.dtype()},
          {"tokens_per_s", static_cast<double>(tokens) / (prefill_s + decode_s)},
          {"ttft_s", prefill_s / count},
          {"tpot_s", further > 0 ? decode_s / further : 0},
          {"requests", requests}};
}

// One pass through a file that generates nothing.
nlohmann::json pass(const ReferenceRequest& options, const Study& study,
                    const std::vector<Submit>& submits, std::vector<Done>* answers) {
  std::vector<std::vector<Tensor>> inputs;
  for (const Submit& submit : submits) inputs.push_back(submit.inputs);
  std::vector<std::int64_t> lengths;
  for (std::size_t i = 0; i < submits.size(); ++i)
    lengths.push_back(study.workload.prompt_length(i));
  const auto passes =
      run_reference(options.model.model, study.import, inputs, lengths, options.threads);
  nlohmann::json requests = nlohmann::json::array();
  double seconds = 0;
  for (std::size_t i = 0; i < passes.size(); ++i) {
    answers->push_back({submits[i].request, {}, passes[i].outputs});
    nlohmann::json request = answer_json(answers->back(), study);
    request["request"] = submits[i].request;
    request["latency_s"] = passes[i].seconds;
    requests.push_back(std::move(request));
    seconds += passes[i].seconds;
  }
  const double mean_s = seconds / static_cast<double>(passes.size());
  return {{"world", "reference"},
          {"model", study.segmentation.model},
          {"latency_s", mean_s},
          {"requests", requests}};
}

}  // namespace

void visit_reference(ReferenceRequest& request, SettingVisitor& visitor) {
  visit_model(request.model, visitor);
  visit_int8(request.model, visitor);
  visit_workload(request.workload, visitor);
  visit_text(request.text, visitor);
  visit_output_file(request.output, visitor);
  visit_json(request.output.json, visitor);
  visit_threads(request.threads, visitor);
}

Reference compute_reference(const ReferenceRequest& request, const Audience& audience) {
  Reference done;
  done.study = open_study(request, request.model.no_kv_cache ? Head::kAll : Head::kLast, audience);
  const auto submits = make_requests(request.workload, request.text.sampling, done.study, true);
  done.json = done.study.model.is_language_model
                  ? generate(request, done.study, submits)
                  : pass(request, done.study, submits, &done.answers);
  return done;
}

}  // namespace lingua
