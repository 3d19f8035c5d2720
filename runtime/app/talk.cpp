#include "runtime/app/talk.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/app/requests.h"
#include "runtime/app/results.h"
#include "runtime/base/errors.h"
#include "runtime/text/sampling.h"

namespace lingua {
namespace {

constexpr std::int64_t kUsualContext = 2048;

std::int64_t context_of(const TalkOptions& options, const Study& study) {
  const std::int64_t most = study.model.max_positions;
  std::int64_t context = options.context;
  if (context == 0) context = most > 0 ? std::min(most, kUsualContext) : kUsualContext;
  if (most > 0 && context > most) {
    throw UsageError(fmt::format("`context` {}: {} was trained on at most {} positions", context,
                                 options.study.model.model, most));
  }
  if (options.study.workload.max_tokens >= context) {
    throw UsageError(fmt::format("`max-tokens` {} leaves no room for a prompt in `context` {}",
                                 options.study.workload.max_tokens, context));
  }
  return context;
}

Study open_study(const TalkOptions& options, const Audience& audience) {
  const std::string& model = options.study.model.model;
  Study study = open_model(options.study.model, Head::kLast, options.study.partition, audience);
  require_weights(study.model, model);
  if (!study.model.is_language_model)
    throw InputError(fmt::format("{}: is no language model; it answers nobody", model));
  check_sampling(options.study.text.sampling);
  open_tokenizer(model, study);
  return study;
}

std::optional<ChatForm> open_form(const TalkOptions& options, const Audience& audience) {
  TextOptions text = options.study.text;
  if (!text.chat_template.empty()) return open_chat_form(text, options.study.model.model, audience);
  text.chat_template = "auto";
  try {
    return open_chat_form(text, options.study.model.model, audience);
  } catch (const InputError& error) {
    audience.tell("no chat: {}\n", error.what());
    return std::nullopt;
  }
}

}  // namespace

Talk open_talk(const TalkOptions& options, const Audience& audience) {
  const ClusterSpec cluster = real_cluster(options.real, cluster_name(options.study));
  check_plan_options(options.study, cluster);
  Talk talk;
  Study& study = talk.study;
  study = open_study(options, audience);
  talk.form = open_form(options, audience);
  study.stop_tokens = stop_tokens_of(options.study.model.model, study);
  add_stops(options.study.text, talk.form, study);
  talk.context = context_of(options, study);
  study.cluster = cluster.in_dtype(study.weight_dtype());
  study.workload.max_tokens = options.study.workload.max_tokens;
  study.workload.prompt_tokens = talk.context - study.workload.max_tokens;
  study.workload.kv_cache = study.model.kv_cache;
  study.workload.in_flight = options.study.workload.in_flight;
  study.workload.requests = study.workload.in_flight;
  study.workload.communication = options.study.workload.communication;
  study.workload.scheduling = scheduling_by(options.study.workload.scheduling, study);
  plan_study(options.study, study);
  audience.tell("{}", plan_text(study));
  return talk;
}

void visit_talk(TalkOptions& options, SettingVisitor& visitor) {
  StudyOptions& study = options.study;
  visit_model(study.model, visitor);
  visit_int8(study.model, visitor);
  visit_partition(study.partition, visitor);
  visit_chat(study.text, visitor);
  visit_sampling(study.text, visitor);
  visitor.take(
      Setting("context", &options.context,
              "tokens of a conversation that the model sees, its answer included (default: "
              "2048, or what it was trained on if that is less)")
          .in(2, 1 << 20)
          .default_untold());
  visitor.take(Setting("seed", &study.workload.seed, "of the draws").not_negative());
  visit_plan(study.plan, visitor, false);
  visit_real(options.real, visitor);
  visit_threads(study.threads, visitor);
}

void visit_longest_answer(std::int64_t& tokens, const std::string& help, SettingVisitor& visitor) {
  visitor.take(Setting("max-tokens", &tokens, help).in(1, 1 << 20));
}

}  // namespace lingua
