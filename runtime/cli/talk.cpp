#include "runtime/cli/talk.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"
#include "runtime/cli/report.h"
#include "runtime/cli/requests.h"
#include "runtime/text/sampling.h"

namespace lingua {
namespace {

constexpr std::int64_t kUsualContext = 2048;

std::int64_t context_of(const TalkOptions& options, const Study& study) {
  const std::int64_t most = study.model.max_positions;
  std::int64_t context = options.context;
  if (context == 0) context = most > 0 ? std::min(most, kUsualContext) : kUsualContext;
  if (most > 0 && context > most) {
    throw UsageError(fmt::format("--context {}: {} was trained on at most {} positions", context,
                                 options.study.model.model, most));
  }
  if (options.study.workload.max_tokens >= context) {
    throw UsageError(fmt::format("--max-tokens {} leaves no room for a prompt in --context {}",
                                 options.study.workload.max_tokens, context));
  }
  return context;
}

Study open_study(const TalkOptions& options) {
  const std::string& model = options.study.model.model;
  Study study = open_model(options.study.model, Head::kLast, options.study.partition);
  require_weights(study.model, model);
  if (!study.model.is_language_model)
    throw InputError(fmt::format("{}: is no language model; it answers nobody", model));
  check_sampling(options.study.text.sampling);
  open_tokenizer(model, study);
  return study;
}

std::optional<ChatForm> open_form(const TalkOptions& options) {
  TextOptions text = options.study.text;
  if (!text.chat_template.empty()) return open_chat_form(text, options.study.model.model);
  text.chat_template = "auto";
  try {
    return open_chat_form(text, options.study.model.model);
  } catch (const InputError& error) {
    tell("no chat: {}\n", error.what());
    return std::nullopt;
  }
}

}  // namespace

Talk open_talk(const TalkOptions& options) {
  const ClusterSpec cluster = real_cluster(options.real, options.study.plan.cluster);
  check_plan_options(options.study, cluster);
  Talk talk;
  Study& study = talk.study;
  study = open_study(options);
  talk.form = open_form(options);
  study.stop_tokens = stop_tokens_of(options.study.model.model, study);
  add_stops(options.study.text, talk.form, study);
  talk.context = context_of(options, study);
  study.cluster = cluster;
  study.workload.max_tokens = options.study.workload.max_tokens;
  study.workload.prompt_tokens = talk.context - study.workload.max_tokens;
  study.workload.kv_cache = study.model.kv_cache;
  study.workload.in_flight = options.study.workload.in_flight;
  study.workload.requests = study.workload.in_flight;
  study.workload.communication = options.study.workload.communication;
  study.workload.scheduling = scheduling_by(options.study.workload.scheduling, study);
  plan_study(options.study, study);
  tell("{}", plan_text(study));
  return talk;
}

void add_talk_options(CLI::App& app, TalkOptions& options) {
  StudyOptions& study = options.study;
  study.workload.max_tokens = 256;
  add_model_options(app, study.model);
  add_int8_option(app, study.model);
  add_partition_flags(app, study.partition);
  add_chat_options(app, study.text);
  add_sampling_options(app, study.text);
  app.add_option("--context", options.context,
                 "tokens of a conversation that the model sees, its answer included (default: "
                 "2048, or what it was trained on if that is less)")
      ->check(CLI::Range(2, 1 << 20));
  app.add_option("--seed", study.workload.seed, "of the draws")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  add_plan_options(app, study.plan, false);
  add_real_options(app, options.real);
  add_threads_option(app, study.threads);
}

}  // namespace lingua
