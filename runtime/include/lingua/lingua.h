#pragma once
// LinguaLinked Lab as a library: plans, simulations, emulations and sweeps, as the program `lingua` makes them.
//
// Settings and results are JSON. A setting is named as the program's option without its dashes ("max-tokens", or
// "max_tokens"); flags are booleans, what may be given several times is a list. Results are what the program prints
// with --json. Files that settings name are read and written, relative to the folder that the process runs in.
// Units: as names end: "_s" seconds, "_bytes", "_j" joules.
// Threads: one call at a time, on any thread. Each works in a fork of the process, so that it leaves nothing behind; a
// lock of yours that another thread holds at that moment stays locked there. Nothing is printed.
// Errors: Failure, and what a hook throws.
// Determinism: the same settings give the same result but for "planning_s", which is this machine's time.
// Stability: what stands here is all that other programs may use. Until 1.0 it may change with the second digit of the
// version; the library's name does then too (liblingua.so.0.4).

#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>

#define LINGUA_PUBLIC __attribute__((visibility("default")))

namespace lingua {

// What went wrong, in one line that names the setting, file, field and value, and what would be accepted.
class LINGUA_PUBLIC Failure : public std::runtime_error {
 public:
  Failure(int exit_code, const std::string& message)
      : std::runtime_error(message), exit_code_(exit_code) {}

  // As the program would end: 1 a bug of ours, 2 a setting, 3 a file or a field in it, 4 no plan fits, 5 a process,
  // a device or a limit of this machine.
  int exit_code() const noexcept { return exit_code_; }

 private:
  int exit_code_;
};

// What a call asks and tells, on the caller's thread. Either may be empty.
struct CallHooks {
  // About ten times a second. What it throws ends the call and passes through it.
  std::function<void()> tick;
  // A note that the program would print on standard error, once the work is done.
  std::function<void(const std::string& text)> note;
};

// A plan: which device runs which segments. `settings`: {"model": "bloom-560m", "cluster": "three-phones.yaml"}.
LINGUA_PUBLIC std::string plan(const std::string& settings, const CallHooks& hooks = {});

// A run on modelled phones in virtual time: shapes without contents, or with real numerics and tokens.
LINGUA_PUBLIC std::string simulate(const std::string& settings, const CallHooks& hooks = {});
LINGUA_PUBLIC std::string emulate(const std::string& settings, const CallHooks& hooks = {});

// What may be set: a list with an object for each ("name", "type", "default", "help"; where they apply "value",
// "least", "most", "choices", "required", "not_with", "only_with"). `verb`: "plan", "simulate" or "emulate".
LINGUA_PUBLIC std::string settings_of(const std::string& verb);

// Simulations or plans over axes. A specification is YAML or JSON; the user's guide describes it.
struct SweepCall {
  std::string spec;                  // a file
  std::string database;              // made, or gone on with
  int workers = 0;                   // points at a time; 0: one for each core
  double point_time_limit_s = 0;     // 0: none
  bool retry_failed = false;         // what has failed runs again
  bool allow_other_version = false;  // goes on with what another version began
};
struct SweepAdvance {
  std::uint64_t before = 0;  // points that had ended when this began
  std::uint64_t done = 0;    // by this call
  std::uint64_t failed = 0;  // by this call
  std::uint64_t size = 0;    // all, those that are excluded too
  double seconds = 0;
};
struct SweepHooks {
  // While it works, and once at its end. What it throws ends the sweep and passes through; rows that are there stay.
  std::function<void(const SweepAdvance&)> advance;
};

// Runs the points that have no row yet. What fails of a point is its row. Gives "done", "failed", "before", ...
LINGUA_PUBLIC std::string run_sweep(const SweepCall& call, const SweepHooks& hooks = {});

// What a run would do and how long it takes, by `samples` points that are run and forgotten. Writes nothing.
LINGUA_PUBLIC std::string preview_sweep(const SweepCall& call, int samples);

// The rows of a database, each a line of JSON: "id", "number", "axes", "state" (done or failed), "reason", "results",
// "seconds", "version", "finished".
LINGUA_PUBLIC std::string sweep_rows(const std::string& database);

struct Versions {
  std::string program;  // "0.4"
  std::string commit;   // "0123456789ab", "+changes" behind it, or "unknown"
  std::string libtorch;
  std::string simgrid;
  std::string cbc;
};
LINGUA_PUBLIC Versions versions();

}  // namespace lingua
