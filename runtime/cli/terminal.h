#pragma once
// Where the program prints: results on standard output, all else on standard error.

#include <fmt/format.h>

#include <chrono>
#include <string>
#include <utility>

#include "runtime/app/audience.h"

namespace lingua {

// The text with settings as options: "`max-tokens` 0" as "--max-tokens 0". Parts below the program name settings so.
std::string with_options(const std::string& text);

// To standard error, with options and printable. What cannot be written is lost: nobody is there to be told.
// Threads: any.
void tell_text(const std::string& text);

template <class... Args>
void tell(fmt::format_string<Args...> format, Args&&... args) {
  tell_text(fmt::format(format, std::forward<Args>(args)...));
}

// Text to standard output; on a terminal printable (see plain_text.h), else as it is.
// Errors: InputError when it cannot be written.
void show(const std::string& text);

// One line that is written over while work goes on, each second and percent (a terminal), or a line per tenth
// (a file).
class Progress {
 public:
  explicit Progress(std::string label) : label_(std::move(label)) {}
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void update(double done, double total, const std::string& detail);
  // Clears the line that is open on a terminal, for another that follows. Threads: any.
  static void make_way();

 private:
  using Clock = std::chrono::steady_clock;

  std::string label_;
  std::string last_detail_;
  Clock::time_point drawn_;
  int last_tenth_ = -1;
  int last_percent_ = -1;
  bool open_ = false;
};

// Tells people: lines and progress on standard error, with pictures of join lines on a terminal.
Audience terminal();

}  // namespace lingua
