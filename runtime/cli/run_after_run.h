#pragma once
// A worker that serves one run after another, each in a process of its own.
//
// What a run leaves (memory, threads, what it gave up when it was confined) goes with its process, which
// is forked from one that has loaded the program and does nothing else. It ends with its parent.
// Threads: none but the caller's may run, beside that of end_on_signals().

#include <functional>
#include <string>

#include "runtime/base/errors.h"

namespace lingua {

// How it went with one run.
struct RunEnd {
  bool is_final = false;  // no other run is asked for: the worker itself cannot go on
  ExitCode code = ExitCode::kOk;
  std::string reason;  // for people, in one line; empty: the run was served
};

class RunAfterRun {
 public:
  explicit RunAfterRun(std::string name) : name_(std::move(name)) {}

  // Calls `serve` in one process after another, with a pause where there was no run. Returns how the
  // last ended; never by itself where all goes well. A signal ends it in order.
  RunEnd run(const std::function<RunEnd()>& serve);

  // For the process of a run: ends it here.
  [[noreturn]] void leave(const RunEnd& end) const;

 private:
  RunEnd serve_in_child(const std::function<RunEnd()>& serve);
  void tell_why(const RunEnd& end);

  const std::string name_;
  int report_ = -1;   // where the process of a run says how it ended
  std::string told_;  // why there was no run, last
};

}  // namespace lingua
