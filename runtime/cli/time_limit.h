#pragma once
// A time limit on the command line.

#include <CLI/CLI.hpp>

namespace lingua {

// Checks an option in seconds: more than 0, and no more than a few days.
CLI::Validator time_limit_check();

}  // namespace lingua
