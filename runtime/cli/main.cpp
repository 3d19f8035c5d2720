#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "runtime/app/version.h"
#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"
#include "runtime/base/signals.h"
#include "runtime/cli/output_paths.h"
#include "runtime/cli/terminal.h"
#include "runtime/cli/verbs.h"
#include "runtime/cli/worker_ahead.h"

namespace {

constexpr const char* kFooter =
    "Exit codes: 0 done, 1 a bug of ours (of log diff: the logs part), 2 the command line,\n"
    "3 a file or a field in it, 4 no plan fits, 5 a device, process, port or link failed,\n"
    "130 and 143 told to end by Ctrl-C and SIGTERM.\n"
    "`lingua VERB --help` tells a verb's options.";

int fail(lingua::ExitCode code, const std::string& message) {
  constexpr std::size_t kLongest = 4000;
  if (const int signal = lingua::ending_signal(); signal != 0) {  // which is why
    lingua::tell("lingua: ended by SIG{}: {}\n", sigabbrev_np(signal),
                 lingua::one_line(message, kLongest));
    lingua::end_by(signal);
  }
  lingua::tell("lingua: {}\n", lingua::one_line(message, kLongest));
  return static_cast<int>(code);
}

// What was printed must have arrived: the disk behind standard output may be full.
void flush_results() {
  errno = 0;
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return;
  throw lingua::InputError(fmt::format("standard output: cannot be written whole: {}",
                                       errno != 0 ? std::strerror(errno) : "an earlier error"));
}

// CLI11 would only say that a verb is missing.
void refuse_unknown_verb(const CLI::App& app, int argc, char** argv) {
  const std::string verb = argc > 1 ? argv[1] : "";
  if (verb.empty() || verb.starts_with('-')) return;
  std::string known;
  for (const CLI::App* one : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (one->get_name() == verb) return;
    if (one->get_group().empty()) continue;  // hidden
    known += (known.empty() ? "" : ", ") + one->get_name();
  }
  throw lingua::UsageError(fmt::format("'{}' is no verb; write one of {}", verb, known));
}

void parse(CLI::App& app, int argc, char** argv) {
  if (lingua::is_started_ahead(argc, argv)) {
    std::vector<std::string> arguments = lingua::awaited_arguments();
    if (arguments.empty()) return;
    std::reverse(arguments.begin(), arguments.end());  // as CLI11 takes them
    app.parse(std::move(arguments));
    return;
  }
  refuse_unknown_verb(app, argc, argv);
  app.parse(argc, argv);
}

int run(int argc, char** argv) {
  CLI::App app{
      "LinguaLinked Lab: one language model over several phones, simulated, emulated and for real",
      "lingua"};
  app.require_subcommand(1);
  app.set_version_flag("--version", lingua::version_text());
  app.footer(kFooter);
#ifdef LINGUA_WITH_JIT
  lingua::add_model(app);
  lingua::add_inspect(app);
  lingua::add_measure(app);
  lingua::add_plan(app);
#ifdef LINGUA_WITH_SIMGRID
  lingua::add_simulate_and_emulate(app);
  lingua::add_sweep(app);
  lingua::add_rerun(app);
  lingua::add_report(app);
  lingua::add_plot(app);
  lingua::add_reproduce(app);
#endif
  lingua::add_run(app);
  lingua::add_chat(app);
  lingua::add_serve(app);
  lingua::add_classify(app);
  lingua::add_score(app);
  lingua::add_tokenize(app);
  lingua::add_trace(app);
  lingua::add_log(app);
  lingua::add_reference(app);
#endif
  lingua::add_worker(app);
  lingua::add_keys(app);
  lingua::add_completion(app);
  lingua::check_paths_of_all_verbs(app);
  try {
    parse(app, argc, argv);
    flush_results();
    return 0;
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::RuntimeError& answer) {  // a verb whose exit code is its answer
    if (lingua::ending_signal() != 0) lingua::end_by(lingua::ending_signal());
    return answer.get_exit_code();
  } catch (const CLI::ParseError& error) {
    return fail(lingua::ExitCode::kUsage, fmt::format("{} (see lingua --help)", error.what()));
  } catch (const lingua::Error& error) {
    return fail(error.exit_code(), error.what());
  } catch (const std::bad_alloc&) {
    return fail(lingua::ExitCode::kWorld, "out of memory");
  } catch (const std::exception& error) {
    return fail(lingua::ExitCode::kBug, fmt::format("unexpected error: {}", error.what()));
  }
}

}  // namespace

int main(int argc, char** argv) {
  lingua::end_on_signals();
  const int code = run(argc, argv);
#ifdef LINGUA_ENDS_AT_ONCE
  // Without what libraries do for themselves: LibTorch forgets its operations one by one, for a quarter of a second.
  std::cout.flush();
  std::fflush(nullptr);
  ::_exit(code);
#endif
  return code;
}
