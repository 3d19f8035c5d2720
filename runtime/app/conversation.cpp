#include "runtime/app/conversation.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "runtime/app/requests.h"
#include "runtime/app/results.h"
#include "runtime/base/errors.h"
#include "runtime/events/metrics.h"
#include "runtime/events/report.h"
#include "runtime/text/chat.h"

namespace lingua {

void visit_conversation(TalkOptions& options, SettingVisitor& visitor) {
  StudyOptions& study = options.study;
  visit_talk(options, visitor);
  visit_longest_answer(study.workload.max_tokens, "the longest answer", visitor);
  visit_chunk(study.workload.scheduling, visitor);
  visit_communication(study.workload.communication, visitor);
  visitor.take({"json", &study.output.json, "print the conversation as JSON at its end"});
  visit_messages(study.output.messages, visitor);
}

Conversation::Conversation(const TalkOptions& options, const Talk& talk, Print print)
    : options_(options),
      talk_(talk),
      print_(std::move(print)),
      streams_(*talk.study.tokenizer, talk.study.stop_strings,
               [this](RequestId, const std::string& text) { print_(text); }) {
  start_anew();
}

void Conversation::start_anew() {
  messages_.clear();
  const std::string& system = options_.study.text.system;
  if (!system.empty()) messages_.push_back({"system", system});
}

std::optional<Submit> Conversation::ask(const std::string& line) {
  const Study& study = talk_.study;
  check_utf8(line, "standard input");
  messages_.push_back({"user", line});
  const std::int64_t room = talk_.context - options_.study.workload.max_tokens;
  std::vector<TokenId> prompt = chat_prompt(*talk_.form, messages_, *study.tokenizer);
  bool forgot = false;
  while (static_cast<std::int64_t>(prompt.size()) > room && forget_oldest_turn()) {
    forgot = true;
    prompt = chat_prompt(*talk_.form, messages_, *study.tokenizer);
  }
  if (forgot) study.audience.tell("(the oldest turns no longer fit the context)\n");
  if (static_cast<std::int64_t>(prompt.size()) > room) {
    study.audience.tell("(that has {} tokens; {} fit: see `context` and `max-tokens`)\n",
                        prompt.size(), room);
    messages_.pop_back();
    return std::nullopt;
  }
  Sampling sampling = options_.study.text.sampling;
  sampling.seed = options_.study.workload.seed;
  return make_request(next_id_++, prompt, options_.study.workload.max_tokens, sampling, study);
}

void Conversation::finish(const Done& done) {
  streams_.finish(done.request);
  print_("\n");
  const Study& study = talk_.study;
  const AnswerText answer =
      answer_text(study.tokenizer.get(), study.stop_strings, study.stop_tokens, done.tokens);
  messages_.push_back({"assistant", answer.text});
  turns_.push_back({{"user", messages_[messages_.size() - 2].text},
                    {"assistant", answer.text},
                    {"tokens", answer.tokens},
                    {"finish", answer.stopped ? "stop" : "length"}});
}

void Conversation::give_up(const Refused& refused) {
  streams_.finish(refused.request);
  talk_.study.audience.tell("(not answered: {})\n", refused.reason);
  messages_.pop_back();
}

// The user's first message and its answer; false when there is only the one that is asked now.
bool Conversation::forget_oldest_turn() {
  const auto user = std::find_if(messages_.begin(), messages_.end(),
                                 [](const ChatMessage& m) { return m.role == "user"; });
  if (messages_.end() - user < 3) return false;
  messages_.erase(user, user + 2);
  return true;
}

nlohmann::json conversation_json(const Study& study, const Conversation& conversation,
                                 const RunResult& result) {
  nlohmann::json json = summary_json(with_energy(result.metrics, study.cluster));
  json["model"] = study.segmentation.model;
  json["turns"] = conversation.turns();
  json["plan"] = plan_to_json(study.plan);
  json.update(plan_extras_json(study));
  return json;
}

}  // namespace lingua
