#include "runtime/cli/connect.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/base/plain_text.h"
#include "runtime/cli/line_input.h"
#include "runtime/cli/output_paths.h"
#include "runtime/cli/terminal.h"
#include "runtime/events/report.h"
#include "runtime/http/client.h"
#include "runtime/text/sampling.h"
#include "runtime/text/tokenizer.h"

namespace lingua {
namespace {

using Json = nlohmann::json;

ApiClient client_of(const ConnectOptions& options) {
  std::string key;
  if (!options.api_key_file.empty()) {
    key = read_file(options.api_key_file);
    key.resize(std::min(key.size(), key.find_first_of("\r\n")));
  }
  return ApiClient(options.url, key);
}

Json body_of(const std::string& model, const WorkloadOptions& workload, const TextOptions& text) {
  check_sampling(text.sampling);
  Json body = {{"model", model},
               {"max_tokens", workload.max_tokens},
               {"temperature", text.sampling.temperature},
               {"top_p", text.sampling.top_p},
               {"top_k", text.sampling.top_k},
               {"repetition_penalty", text.sampling.repetition_penalty},
               {"seed", workload.seed}};
  if (!text.stop.empty()) body["stop"] = text.stop;
  return body;
}

// All as text or all as tokens, as the API takes them.
Json prompts_of(const WorkloadOptions& workload, const TextOptions& text) {
  Json prompts = Json::array();
  for (const std::string& prompt : text.prompts) {
    check_utf8(prompt, "--prompt");
    prompts.push_back(prompt);
  }
  for (const std::string& file : text.prompt_files) {
    const std::string prompt =
        file == "-" ? std::string(std::istreambuf_iterator<char>(std::cin), {}) : read_file(file);
    check_utf8(prompt, file == "-" ? "standard input" : file);
    prompts.push_back(prompt);
  }
  for (const std::string& ids : workload.prompt_tokens) {
    Json list = Json::parse("[" + ids + "]", nullptr, false);
    if (list.is_discarded() || list.empty())
      throw UsageError(fmt::format("--prompt-tokens '{}': write ids as 1,2,3", one_line(ids, 60)));
    prompts.push_back(std::move(list));
  }
  if (prompts.empty())
    throw UsageError("--connect asks what --prompt, --prompt-file or --prompt-tokens say");
  return prompts;
}

}  // namespace

void add_connect_options(CLI::App& verb, ConnectOptions& options) {
  verb.add_option("--connect", options.url,
                  "ask a service (lingua serve) at http://HOST:PORT, which has the model");
  verb.add_option("--api-key-file", options.api_key_file, "file whose first line is its API key")
      ->type_name(kInputPath);
  verb.get_option("--model")->required(false);
}

void check_connect_options(const CLI::App& verb, const ConnectOptions& options,
                           const std::vector<std::string>& meaning) {
  if (options.url.empty()) {
    if (verb.get_option("--model")->count() == 0) throw UsageError("--model is required");
    if (!options.api_key_file.empty()) throw UsageError("--api-key-file is for --connect");
    return;
  }
  for (const CLI::Option* option : verb.get_options()) {
    const std::string name = option->get_name();
    const bool means = name == "--connect" || name == "--api-key-file" ||
                       std::find(meaning.begin(), meaning.end(), name) != meaning.end();
    if (option->count() > 0 && !means)
      throw UsageError(fmt::format("{} means nothing with --connect: the service decides", name));
  }
}

void run_connected(const ConnectOptions& options, const WorkloadOptions& workload,
                   const TextOptions& text, bool json) {
  const Json prompts = prompts_of(workload, text);
  ApiClient client = client_of(options);
  const std::string model = client.model();
  Json body = body_of(model, workload, text);
  body["prompt"] = prompts;
  std::vector<ApiPiece> answers(prompts.size());
  const bool streaming = !json && prompts.size() == 1;
  client.ask("/v1/completions", body, [&](const ApiPiece& piece) {
    if (piece.choice >= answers.size()) return;
    answers[piece.choice].text += piece.text;
    if (!piece.finish.empty()) answers[piece.choice].finish = piece.finish;
    if (streaming) show(piece.text);
  });
  if (json) {
    Json result = {{"model", model}, {"requests", Json::array()}};
    for (const ApiPiece& answer : answers)
      result["requests"].push_back({{"text", answer.text}, {"finish", answer.finish}});
    show(json_text(result) + "\n");
    return;
  }
  if (streaming) show("\n");
  for (std::size_t i = 0; !streaming && i < answers.size(); ++i) {
    tell("request {}:\n", i);
    show(answers[i].text + "\n");
  }
}

void chat_connected(const ConnectOptions& options, const WorkloadOptions& workload,
                    const TextOptions& text, bool json) {
  ApiClient client = client_of(options);
  Json body = body_of(client.model(), workload, text);
  Json messages = Json::array();
  Json turns = Json::array();
  const auto start_anew = [&] {
    messages = Json::array();
    if (!text.system.empty()) messages.push_back({{"role", "system"}, {"content", text.system}});
  };
  start_anew();
  const std::size_t kept = messages.size();
  LineInput input;
  std::string line;
  const bool is_terminal = isatty(STDIN_FILENO) == 1;
  while (true) {
    if (is_terminal) fmt::print(stderr, "> ");
    if (!input.read(line, [] { return false; }) || line == "/exit") break;
    if (line == "/new") start_anew();
    if (line.starts_with('/') || line.find_first_not_of(" \t\r") == std::string::npos) continue;
    check_utf8(line, "standard input");
    messages.push_back({{"role", "user"}, {"content", line}});
    ApiPiece answer;
    const auto take = [&](const ApiPiece& piece) {
      answer.text += piece.text;
      if (!piece.finish.empty()) answer.finish = piece.finish;
      if (!json) show(piece.text);
    };
    std::optional<std::string> refused;
    while (true) {
      body["messages"] = messages;
      refused = client.ask("/v1/chat/completions", body, take, "context_length_exceeded");
      if (!refused || messages.size() < kept + 3) break;
      tell("(the oldest turns no longer fit the context)\n");
      messages.erase(kept);
      messages.erase(kept);
    }
    if (refused) {
      tell("(not answered: {})\n", *refused);
      messages.erase(messages.size() - 1);
      continue;
    }
    if (!json) show("\n");
    messages.push_back({{"role", "assistant"}, {"content", answer.text}});
    turns.push_back({{"user", line}, {"assistant", answer.text}, {"finish", answer.finish}});
  }
  if (json) show(json_text({{"model", body["model"]}, {"turns", turns}}) + "\n");
}

}  // namespace lingua
