#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>

#include "runtime/app/answer_text.h"
#include "runtime/app/comparison.h"
#include "runtime/app/generation.h"
#include "runtime/cli/connect.h"
#include "runtime/cli/declare.h"
#include "runtime/cli/report.h"
#include "runtime/cli/terminal.h"
#include "runtime/cli/verbs.h"

namespace lingua {
namespace {

struct RunVerbOptions {
  GenerationRequest request;
  ConnectOptions connect;
};

// Shows answers as text on standard output: as it is made where one request runs at a time, whole
// answers otherwise. A stop string ends its request.
void print_text(const Study& study, ClientJob& job) {
  const bool streaming = study.workload.in_flight == 1;
  const auto begin = [&study](RequestId request) {
    if (study.prompts.size() > 1) tell("request {}:\n", request);
  };
  const auto streams = std::make_shared<AnswerStreams>(
      *study.tokenizer, study.stop_strings, [streaming](RequestId, const std::string& text) {
        if (streaming) show(text);
      });
  job.on_token = [=](const TokenMade& token) {
    if (streaming && token.index == 0) begin(token.request);
    return streams->take(token);
  };
  job.on_done = [=, &study](const Done& done) {
    streams->finish(done.request);
    if (!streaming) {
      begin(done.request);
      show(answer_text(study.tokenizer.get(), study.stop_strings, study.stop_tokens, done.tokens)
               .text);
    }
    show("\n");
  };
}

// Shows how far all requests are, and on a terminal how fast; beside `text` only what lasts.
void print_progress(double all, bool text, const LiveView& live, Progress& progress,
                    ClientJob& job) {
  const bool is_terminal = isatty(STDERR_FILENO) == 1;
  job.on_token = [=, &live, &progress, take = job.on_token, rate = TokenRate(),
                  made = std::int64_t{0}](const TokenMade& token) mutable {
    const Seconds now = std::chrono::steady_clock::now().time_since_epoch();
    rate.made(now);
    ++made;
    const double per_s = rate.per_s(now);
    if (!text || per_s > 0) {
      progress.update(
          static_cast<double>(made), all,
          is_terminal ? status_text(made, per_s, live) : fmt::format("{} tokens", made));
    }
    return !take || take(token);
  };
}

void run(const RunVerbOptions& options) {
  const StudyOptions& asked = options.request.study;
  if (!options.connect.url.empty()) {
    run_connected(options.connect, asked.workload, asked.text, asked.output.json);
    return;
  }
  Generation generation(options.request, terminal());
  const Study& study = generation.study();
  ClientJob& job = generation.job();
  RunResult result;
  const bool text = study.tokenizer && study.model.is_language_model && !asked.output.json;
  if (text) {
    print_text(study, job);
  } else {
    end_at_stop_strings(study.stop_strings, study.tokenizer.get(), job);
  }
  {
    Progress progress("answering");
    if (!text || (isatty(STDERR_FILENO) == 1 && isatty(STDOUT_FILENO) == 0))
      print_progress(generation.all(), text, generation.live(), progress, job);
    result = generation.run();
  }
  nlohmann::json extra = generation.extra();
  std::vector<Compared> rows;
  if (options.request.compare) {
    rows = compared(study, metrics_of(asked, study, result));
    extra["comparison"] = comparison_json(rows);
  }
  report_run(
      {"real", "", false}, [&] { generation.write_messages(); }, asked, study, result, extra);
  if (!rows.empty() && !asked.output.json) tell("{}", comparison_text(rows));
  check_all_answered(result);
}

}  // namespace

void add_run(CLI::App& app) {
  auto* verb =
      app.add_subcommand("run", "run for real: workers compute with LibTorch and talk over ZeroMQ");
  auto options = std::make_shared<RunVerbOptions>();
  OptionDeclarer declarer(*verb);
  visit_generation(options->request, declarer);
  add_connect_options(*verb, options->connect);
  verb->callback([options, verb] {
    check_connect_options(
        *verb, options->connect,
        {"--prompt", "--prompt-file", "--prompt-tokens", "--max-tokens", "--seed", "--temperature",
         "--top-k", "--top-p", "--repetition-penalty", "--stop", "--json"});
    run(*options);
  });
}

}  // namespace lingua
