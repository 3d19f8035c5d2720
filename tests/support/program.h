#pragma once
// Runs programs the way a user does, and looks at what they leave.
//
// Errors: throws std::runtime_error when a program cannot be started or does not end in time.

#include <sys/types.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "runtime/base/files.h"

namespace lingua::testing {

struct Outcome {
  int exit_code = -1;  // 128 + signal when one ended it
  std::string out;
  std::string err;
  nlohmann::json json() const { return nlohmann::json::parse(out); }
};

// A program under way.
class Program {
 public:
  explicit Program(const std::vector<std::string>& argv);
  ~Program();  // kills it if it still runs
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  pid_t pid() const { return pid_; }
  bool running();
  // What it has written so far.
  std::string out() const;
  std::string err() const;
  // Waits for its end; kills it and throws when the time is over.
  Outcome wait(std::chrono::seconds timeout = std::chrono::seconds(120));

 private:
  pid_t pid_ = -1;
  int status_ = -1;
  bool ended_ = false;
  TemporaryFolder folder_;
};

Outcome run_program(const std::vector<std::string>& argv,
                    std::chrono::seconds timeout = std::chrono::seconds(120));

// Processes whose parent is `pid`, and how many run now in a process group: a Program's is that of its pid, and
// all that it starts belong to it, but for the runs of workers that stay.
std::vector<pid_t> children_of(pid_t pid);
int count_group(pid_t group);

}  // namespace lingua::testing
