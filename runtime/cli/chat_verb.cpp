#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/cli/answer_text.h"
#include "runtime/cli/connect.h"
#include "runtime/cli/line_input.h"
#include "runtime/cli/report.h"
#include "runtime/cli/requests.h"
#include "runtime/cli/talk.h"
#include "runtime/cli/verbs.h"
#include "runtime/events/metrics.h"
#include "runtime/events/report.h"
#include "runtime/text/chat.h"

namespace lingua {
namespace {

constexpr const char* kHelp =
    "one line is one message; /new begins a new conversation, /exit or end of input ends the "
    "chat\n";

// A conversation: reads what the user says, prints what the model answers.
class Conversation {
 public:
  Conversation(const TalkOptions& options, const Study& study, ChatForm form, std::int64_t context)
      : options_(options),
        study_(study),
        form_(std::move(form)),
        context_(context),
        streams_(*study.tokenizer, study.stop_strings,
                 [this](RequestId, const std::string& text) { show(text); }) {
    start_anew();
  }

  // The next request: what the user says next, with all that was said before it.
  std::optional<Submit> ask(const std::function<bool()>& over) {
    std::string line;
    while (read_line(line, over)) {
      if (line == "/exit") return std::nullopt;
      if (line == "/new") {
        start_anew();
      } else if (line.starts_with('/')) {
        fmt::print(stderr, "{}", kHelp);
      } else if (line.find_first_not_of(" \t\r") != std::string::npos) {
        if (auto request = request_for(line)) return request;
      }
    }
    return std::nullopt;
  }

  bool take(const TokenMade& token) { return streams_.take(token); }

  void finish(const Done& done) {
    streams_.finish(done.request);
    show("\n");
    const AnswerText answer =
        answer_text(study_.tokenizer.get(), study_.stop_strings, study_.stop_tokens, done.tokens);
    messages_.push_back({"assistant", answer.text});
    turns_.push_back({{"user", messages_[messages_.size() - 2].text},
                      {"assistant", answer.text},
                      {"tokens", answer.tokens},
                      {"finish", answer.stopped ? "stop" : "length"}});
  }

  // The message is as if it had not been.
  void give_up(const Refused& refused) {
    streams_.finish(refused.request);
    fmt::print(stderr, "(not answered: {})\n", refused.reason);
    messages_.pop_back();
  }

  const nlohmann::json& turns() const { return turns_; }

 private:
  void start_anew() {
    messages_.clear();
    const std::string& system = options_.study.text.system;
    if (!system.empty()) messages_.push_back({"system", system});
  }

  bool read_line(std::string& line, const std::function<bool()>& over) {
    if (isatty(STDIN_FILENO)) {
      fmt::print(stderr, "> ");
      std::fflush(stderr);
    }
    if (input_.read(line, over)) return true;
    if (isatty(STDIN_FILENO)) fmt::print(stderr, "\n");  // nothing stands behind the prompt
    return false;
  }

  void show(const std::string& text) const {
    if (options_.study.output.json) return;
    lingua::show(text);
  }

  // Nothing when the message alone is too long. The oldest turns go when the context is full.
  std::optional<Submit> request_for(const std::string& line) {
    check_utf8(line, "standard input");
    messages_.push_back({"user", line});
    const std::int64_t room = context_ - options_.study.workload.max_tokens;
    std::vector<TokenId> prompt = chat_prompt(form_, messages_, *study_.tokenizer);
    bool forgot = false;
    while (static_cast<std::int64_t>(prompt.size()) > room && forget_oldest_turn()) {
      forgot = true;
      prompt = chat_prompt(form_, messages_, *study_.tokenizer);
    }
    if (forgot) fmt::print(stderr, "(the oldest turns no longer fit the context)\n");
    if (static_cast<std::int64_t>(prompt.size()) > room) {
      fmt::print(stderr, "(that has {} tokens; {} fit: see --context and --max-tokens)\n",
                 prompt.size(), room);
      messages_.pop_back();
      return std::nullopt;
    }
    Sampling sampling = options_.study.text.sampling;
    sampling.seed = options_.study.workload.seed;
    return make_request(next_id_++, prompt, options_.study.workload.max_tokens, sampling, study_);
  }

  // The user's first message and its answer; false when there is only the one that is asked now.
  bool forget_oldest_turn() {
    const auto user = std::find_if(messages_.begin(), messages_.end(),
                                   [](const ChatMessage& m) { return m.role == "user"; });
    if (messages_.end() - user < 3) return false;
    messages_.erase(user, user + 2);
    return true;
  }

  const TalkOptions& options_;
  const Study& study_;
  ChatForm form_;
  std::int64_t context_;
  AnswerStreams streams_;
  std::vector<ChatMessage> messages_;
  nlohmann::json turns_ = nlohmann::json::array();
  RequestId next_id_ = 0;
  LineInput input_;
};

void show_result(const TalkOptions& options, const Study& study, const Conversation& conversation,
                 const RunResult& result) {
  const Metrics metrics = with_energy(result.metrics, study.cluster);
  if (options.study.output.json) {
    nlohmann::json json = summary_json(metrics);
    json["model"] = study.segmentation.model;
    json["turns"] = conversation.turns();
    json["plan"] = plan_to_json(study.plan);
    json.update(plan_extras_json(study));
    lingua::show(json_text(json) + "\n");
  } else if (!metrics.requests.empty()) {
    const double tpot_s = metrics.tpot_s;
    fmt::print(stderr, "{} answers: first token after {:.2f} s, then {:.1f} tokens/s (means)\n",
               metrics.requests.size(), metrics.ttft_s, tpot_s > 0 ? 1 / tpot_s : 0);
  }
}

void run(const TalkOptions& options) {
  Talk talk = open_talk(options);
  Study& study = talk.study;
  Conversation conversation(options, study, *talk.form, talk.context);
  ClientJob job;
  bool greeted = false;
  job.next_request = [&](const std::function<bool()>& over) {
    if (!greeted) fmt::print(stderr, "{}", kHelp);
    greeted = true;
    return conversation.ask(over);
  };
  job.on_token = [&](const TokenMade& token) { return conversation.take(token); };
  job.on_done = [&](const Done& done) { conversation.finish(done); };
  job.on_refused = [&](const Refused& refused) { conversation.give_up(refused); };
  RealWorld real(options.real, options.study, study);
  const RunResult result = real.run(job);
  show_result(options, study, conversation, result);
  real.write_messages();
}

}  // namespace

void add_chat(CLI::App& app) {
  auto* verb = app.add_subcommand("chat", "talk with a model that is spread over workers");
  auto options = std::make_shared<TalkOptions>();
  auto connect = std::make_shared<ConnectOptions>();
  StudyOptions& study = options->study;
  add_talk_options(*verb, *options);
  study.text.chat_template = "auto";
  verb->add_option("--max-tokens", study.workload.max_tokens, "the longest answer")
      ->capture_default_str()
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 20));
  add_chunk_option(*verb, study.workload.scheduling);
  add_communication_options(*verb, study.workload.communication);
  verb->add_flag("--json", study.output.json, "print the conversation as JSON at its end");
  add_messages_option(*verb, study.output.messages);
  add_connect_options(*verb, *connect);
  verb->callback([options, connect, verb] {
    check_connect_options(*verb, *connect,
                          {"--system", "--max-tokens", "--seed", "--temperature", "--top-k",
                           "--top-p", "--repetition-penalty", "--stop", "--json"});
    if (connect->url.empty()) {
      run(*options);
    } else {
      chat_connected(*connect, options->study.workload, options->study.text,
                     options->study.output.json);
    }
  });
}

}  // namespace lingua
