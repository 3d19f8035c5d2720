#pragma once
// Time limits on the command line.

#include <CLI/CLI.hpp>

namespace lingua {

// Checks an option in seconds: more than 0, and no more than a few days.
CLI::Validator time_limit_check();

// --loss-timeout, of coordinators and workers.
void add_loss_option(CLI::App& app, double& loss_timeout_s);

}  // namespace lingua
