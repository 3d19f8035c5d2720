#pragma once
// What goes wrong and how the program ends.
//
// Errors: LINGUA_CHECK is for our own bugs and stays on in release builds. What the user gave us
// and what the world did is thrown as one of the classes below; `lingua` prints what() on one line
// and ends with exit_code(). What a policy must react to (a lost device, a late reply) is data
// instead.

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace lingua {

// The exit codes of `lingua`, as its README documents them.
enum class ExitCode : int {
  kOk = 0,
  kBug = 1,         // a failed LINGUA_CHECK: please report it
  kUsage = 2,       // the command line
  kBadInput = 3,    // a file or a field in it
  kInfeasible = 4,  // no plan fits; the message names the limit that binds
  kWorld = 5,       // a device, process, port or link failed
};

class Error : public std::runtime_error {
 public:
  ExitCode exit_code() const { return exit_code_; }

 protected:
  Error(ExitCode code, const std::string& message)
      : std::runtime_error(message), exit_code_(code) {}

 private:
  ExitCode exit_code_;
};

// The command line asks for something that does not exist or contradicts itself.
class UsageError : public Error {
 public:
  explicit UsageError(const std::string& message) : Error(ExitCode::kUsage, message) {}
};

// A file or message is not what it should be. The message names the file, the field and the value,
// and what would be accepted.
class InputError : public Error {
 public:
  explicit InputError(const std::string& message) : Error(ExitCode::kBadInput, message) {}
};

// No plan meets the limits. The message says, in numbers, which limit binds.
class InfeasibleError : public Error {
 public:
  explicit InfeasibleError(const std::string& message) : Error(ExitCode::kInfeasible, message) {}
};

// A device, process, port or link failed.
class WorldError : public Error {
 public:
  explicit WorldError(const std::string& message) : Error(ExitCode::kWorld, message) {}
};

// A bug of ours, found by LINGUA_CHECK.
class BugError : public Error {
 public:
  explicit BugError(const std::string& message) : Error(ExitCode::kBug, message) {}
};

namespace internal {
[[noreturn]] void check_failed(const char* file, int line, const char* condition,
                               const std::string& detail);
}  // namespace internal

}  // namespace lingua

// LINGUA_CHECK(condition) or LINGUA_CHECK(condition, "format {}", value): throws BugError when it
// does not hold.
#define LINGUA_CHECK_DETAIL(...) (fmt::format("" __VA_ARGS__))
#define LINGUA_CHECK(condition, ...)                                      \
  do {                                                                    \
    if (!(condition)) {                                                   \
      ::lingua::internal::check_failed(__FILE__, __LINE__, #condition,    \
                                       LINGUA_CHECK_DETAIL(__VA_ARGS__)); \
    }                                                                     \
  } while (false)
