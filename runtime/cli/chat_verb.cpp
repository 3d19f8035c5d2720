#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "runtime/app/conversation.h"
#include "runtime/app/real_world.h"
#include "runtime/cli/connect.h"
#include "runtime/cli/declare.h"
#include "runtime/cli/line_input.h"
#include "runtime/cli/terminal.h"
#include "runtime/cli/verbs.h"
#include "runtime/events/metrics.h"
#include "runtime/events/report.h"

namespace lingua {
namespace {

constexpr const char* kHelp =
    "one line is one message; /new begins a new conversation, /exit or end of input ends the "
    "chat\n";

bool read_line(LineInput& input, std::string& line, const std::function<bool()>& over) {
  if (isatty(STDIN_FILENO)) {
    fmt::print(stderr, "> ");
    std::fflush(stderr);
  }
  if (input.read(line, over)) return true;
  if (isatty(STDIN_FILENO)) fmt::print(stderr, "\n");  // nothing stands behind the prompt
  return false;
}

// The request for what the user says next; nothing at the end of the chat.
std::optional<Submit> next_request(LineInput& input, Conversation& conversation,
                                   const std::function<bool()>& over) {
  std::string line;
  while (read_line(input, line, over)) {
    if (line == "/exit") return std::nullopt;
    if (line == "/new") {
      conversation.start_anew();
    } else if (line.starts_with('/')) {
      fmt::print(stderr, "{}", kHelp);
    } else if (line.find_first_not_of(" \t\r") != std::string::npos) {
      if (auto request = conversation.ask(line)) return request;
    }
  }
  return std::nullopt;
}

void show_result(const TalkOptions& options, const Study& study, const Conversation& conversation,
                 const RunResult& result) {
  if (options.study.output.json) {
    show(json_text(conversation_json(study, conversation, result)) + "\n");
    return;
  }
  const Metrics& metrics = result.metrics;
  if (metrics.requests.empty()) return;
  fmt::print(stderr, "{} answers: first token after {:.2f} s, then {:.1f} tokens/s (means)\n",
             metrics.requests.size(), metrics.ttft_s, metrics.tpot_s > 0 ? 1 / metrics.tpot_s : 0);
}

void run(const TalkOptions& options) {
  Talk talk = open_talk(options, terminal());
  Conversation conversation(options, talk, [&options](const std::string& text) {
    if (!options.study.output.json) show(text);
  });
  LineInput input;
  ClientJob job;
  bool greeted = false;
  job.next_request = [&](const std::function<bool()>& over) {
    if (!greeted) fmt::print(stderr, "{}", kHelp);
    greeted = true;
    return next_request(input, conversation, over);
  };
  job.on_token = [&](const TokenMade& token) { return conversation.take(token); };
  job.on_done = [&](const Done& done) { conversation.finish(done); };
  job.on_refused = [&](const Refused& refused) { conversation.give_up(refused); };
  RealWorld real(options.real, options.study, talk.study);
  const RunResult result = real.run(job);
  show_result(options, talk.study, conversation, result);
  real.write_messages();
}

}  // namespace

void add_chat(CLI::App& app) {
  auto* verb = app.add_subcommand("chat", "talk with a model that is spread over workers");
  auto options = std::make_shared<TalkOptions>();
  auto connect = std::make_shared<ConnectOptions>();
  options->study.text.chat_template = "auto";
  OptionDeclarer declarer(*verb);
  visit_conversation(*options, declarer);
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
