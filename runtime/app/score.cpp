#include "runtime/app/score.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "runtime/app/real_world.h"
#include "runtime/app/requests.h"
#include "runtime/app/results.h"
#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/events/metrics.h"
#include "runtime/events/report.h"

namespace lingua {
namespace {

// What is known before each prediction, and what is predicted.
struct Window {
  std::vector<TokenId> tokens;
  std::vector<TokenId> targets;
};

// The text in consecutive windows of `context` tokens, each with the token before a text where the
// tokenizer puts one. The first token of a window is not predicted.
std::vector<Window> windows_of(const std::vector<TokenId>& ids, std::optional<TokenId> begin,
                               std::int64_t context) {
  std::vector<Window> windows;
  const auto step = static_cast<std::size_t>(context - (begin ? 1 : 0));
  for (std::size_t at = 0; at < ids.size(); at += step) {
    std::vector<TokenId> all;
    if (begin) all.push_back(*begin);
    all.insert(all.end(), ids.begin() + static_cast<std::ptrdiff_t>(at),
               ids.begin() + static_cast<std::ptrdiff_t>(std::min(at + step, ids.size())));
    if (all.size() < 2) continue;  // nothing to predict
    windows.push_back({{all.begin(), all.end() - 1}, {all.begin() + 1, all.end()}});
  }
  return windows;
}

// The token that the tokenizer puts before a text, if it does.
std::optional<TokenId> beginning(const Tokenizer& tokenizer) {
  const std::vector<TokenId> around = tokenizer.encode("", true, false);
  if (around.empty() || around.front() != tokenizer.bos()) return std::nullopt;
  return tokenizer.bos();
}

Study open_study(const ScoreRequest& options, const std::string& model, const Audience& audience) {
  Study study = open_model(options.study.model, Head::kScore, options.study.partition, audience);
  require_weights(study.model, model);
  if (!study.model.is_language_model || study.model.family.empty()) {
    throw InputError(
        fmt::format("{}: is no language model of a known family; only those have a "
                    "probability of a text",
                    model));
  }
  if (study.model.max_positions > 0 && options.context > study.model.max_positions) {
    throw UsageError(fmt::format("`context` {}: {} was trained on at most {} positions",
                                 options.context, model, study.model.max_positions));
  }
  open_tokenizer(model, study);
  return study;
}

double sum_of(const Tensor& log_probabilities) {
  const auto* values = reinterpret_cast<const float*>(log_probabilities.data.get());
  double sum = 0;
  for (std::int64_t i = 0; i < log_probabilities.elements(); ++i) sum += values[i];
  return sum;
}

nlohmann::json result_json(const ScoreRequest& options, const Study& study, std::size_t tokens,
                           std::size_t bytes, const RunResult& result) {
  double nll = 0;
  std::int64_t predicted = 0;
  for (const Done& answer : result.answers) {
    nll -= sum_of(answer.outputs.at(0));
    predicted += answer.outputs[0].elements();
  }
  if (!std::isfinite(nll)) {
    throw InputError(
        fmt::format("{}: gives probabilities that are not numbers", study.segmentation.model));
  }
  nlohmann::json json = summary_json(with_energy(result.metrics, study.cluster));
  for (const char* of_tokens : {"requests", "bytes_per_token", "energy_per_token_j"})
    json.erase(of_tokens);
  json["model"] = study.segmentation.model;
  json["tokens"] = tokens;
  json["predicted"] = predicted;
  json["context"] = options.context;
  json["windows"] = result.answers.size();
  json["nll"] = nll;
  json["perplexity"] = std::exp(nll / static_cast<double>(predicted));
  json["bits_per_byte"] = nll / std::log(2) / static_cast<double>(bytes);
  json["scored_tokens_per_s"] = static_cast<double>(predicted) / json["makespan_s"].get<double>();
  json["plan"] = plan_to_json(study.plan);
  json.update(plan_extras_json(study));
  return json;
}

}  // namespace

void visit_score(ScoreRequest& request, SettingVisitor& visitor) {
  StudyOptions& study = request.study;
  visitor.take(Setting("file", &request.file, "the text, UTF-8")
                   .as_word(WordUse::kOnly)
                   .required()
                   .called(kInputPath));
  visit_model(study.model, visitor, ModelArgument::kOptionOnly);
  visit_int8(study.model, visitor);
  visit_partition(study.partition, visitor);
  visitor.take(Setting("context", &request.context,
                       "tokens of a window: each is predicted from those before it in the window")
                   .in(2, 1 << 20));
  visit_in_flight(study.workload, visitor);
  visit_communication(study.workload.communication, visitor);
  visit_plan(study.plan, visitor, false);
  visit_real(request.real, visitor);
  visit_threads(study.threads, visitor);
  visit_json(study.output.json, visitor);
}

Score score(ScoreRequest options, const Audience& audience) {
  options.study.model.no_kv_cache = true;  // one pass for each window
  const std::string& model = options.study.model.model;
  const std::string text = read_file(options.file);
  check_utf8(text, options.file);
  const ClusterSpec cluster = real_cluster(options.real, cluster_name(options.study));
  check_plan_options(options.study, cluster);
  Score scored;
  Study& study = scored.study = open_study(options, model, audience);
  const std::vector<TokenId> ids = study.tokenizer->encode(text, false, false);
  const std::vector<Window> windows = windows_of(ids, beginning(*study.tokenizer), options.context);
  if (windows.empty()) {
    throw InputError(
        fmt::format("{}: has {} tokens; there is nothing to predict", options.file, ids.size()));
  }
  study.cluster = cluster.in_dtype(study.weight_dtype());
  study.workload.prompt_tokens = static_cast<std::int64_t>(windows.front().tokens.size());
  study.workload.max_tokens = 0;
  study.workload.kv_cache = false;
  study.workload.communication = options.study.workload.communication;
  study.workload.in_flight =
      std::min(options.study.workload.in_flight, static_cast<int>(windows.size()));
  plan_study(options.study, study);

  ClientJob job;
  for (std::size_t w = 0; w < windows.size(); ++w) {
    Submit submit = make_request(static_cast<RequestId>(w), windows[w].tokens, 0, {}, study);
    submit.inputs.push_back(make_int64_tensor(windows[w].targets));
    job.requests.push_back(std::move(submit));
  }
  const ProgressUpdate progress = audience.begin("scoring");
  double done = 0;
  job.on_done = [&](const Done&) {
    done += 1;
    progress(done, static_cast<double>(windows.size()), "");
  };
  RealWorld real(options.real, options.study, study);
  const RunResult result = real.run(job);
  check_all_answered(result);
  scored.json = result_json(options, study, ids.size(), text.size(), result);
  return scored;
}

}  // namespace lingua
