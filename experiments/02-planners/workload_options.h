#pragma once
// What the programs of this folder share: the options of a workload, and an end in one line.

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "runtime/base/errors.h"
#include "runtime/plan/workload.h"

namespace lingua {

inline void add_workload_options(CLI::App& app, Workload& workload) {
  app.add_option("--prompt", workload.prompt_tokens);
  app.add_option("--tokens", workload.max_tokens);
  app.add_option("--requests", workload.requests);
  app.add_option("--in-flight", workload.in_flight);
}

// Parses, then works. Returns the exit code.
template <class Work>
int run_program(CLI::App& app, int argc, char** argv, const Work& work) {
  CLI11_PARSE(app, argc, argv);
  try {
    work();
  } catch (const Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}

}  // namespace lingua
