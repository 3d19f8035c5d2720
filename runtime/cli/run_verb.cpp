#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>

#include "runtime/base/plain_text.h"
#include "runtime/cli/answer_text.h"
#include "runtime/cli/connect.h"
#include "runtime/cli/live_view.h"
#include "runtime/cli/output_paths.h"
#include "runtime/cli/real_world.h"
#include "runtime/cli/report.h"
#include "runtime/cli/requests.h"
#include "runtime/cli/run_journal.h"
#include "runtime/cli/supply_option.h"
#include "runtime/cli/verbs.h"

namespace lingua {
namespace {

struct Options {
  StudyOptions study;
  RealOptions real;
  ConnectOptions connect;
  std::string supply;
  std::string journal;
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

void run(const Options& options) {
  if (!options.connect.url.empty()) {
    run_connected(options.connect, options.study.workload, options.study.text,
                  options.study.output.json);
    return;
  }
  const ClusterSpec cluster = real_cluster(options.real, options.study.plan.cluster);
  RealOptions real_options = options.real;
  if (!options.supply.empty() && !options.real.pace) {
    throw UsageError(
        "--supply: workers that are not paced give what they give; write it with --pace");
  }
  real_options.supply = supply_of(options.supply, cluster, options.study.workload.seed);
  start_workers_ahead(cluster, real_options);
  Study study = prepare_study(options.study, cluster);
  require_weights(study.model, options.study.model.model);
  ClientJob job;
  std::vector<Submit> requests =
      make_requests(options.study.workload, options.study.text.sampling, study, true);
  double all = 0;  // tokens, or passes
  for (const Submit& request : requests)
    all += static_cast<double>(std::max<std::int64_t>(request.max_tokens, 1));
  std::optional<RunJournal> journal;
  if (!options.journal.empty()) journal.emplace(options.journal, study, requests);
  submit_by(study, std::move(requests), job);
  const auto live = real_options.live = std::make_shared<LiveView>();
  RealWorld real(std::move(real_options), options.study, study);
  const auto answer = [&] {
    if (journal && journal->has_all()) return journal->answers(job);
    return real.run(job, journal ? &journal->file() : nullptr);
  };
  RunResult result;
  const bool text = study.tokenizer && study.model.is_language_model && !options.study.output.json;
  if (text) {
    print_text(study, job);
  } else {
    end_at_stop_strings(study.stop_strings, study.tokenizer.get(), job);
  }
  {
    Progress progress("answering");
    if (!text || (isatty(STDERR_FILENO) == 1 && isatty(STDOUT_FILENO) == 0))
      print_progress(all, text, *live, progress, job);
    result = answer();
  }
  nlohmann::json extra = real.extra();
  if (journal) extra["resumed"] = journal->resumed();
  report_run({"real", "", false, [&] { real.write_messages(); }}, options.study, study, result,
             extra);
  check_all_answered(result);
}

}  // namespace

void add_run(CLI::App& app) {
  auto* verb =
      app.add_subcommand("run", "run for real: workers compute with LibTorch and talk over ZeroMQ");
  auto options = std::make_shared<Options>();
  add_study_options(*verb, options->study, false);
  add_real_options(*verb, options->real);
  add_supply_option(*verb, options->supply);
  verb->add_option(
          "--journal", options->journal,
          "requests and tokens are noted in this file as they come; the same command goes on from "
          "there when its run was lost")
      ->type_name(kOutputFile);
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
