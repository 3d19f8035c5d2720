#pragma once
// Text from outside as it may reach a terminal or a log, and the way to standard error.
//
// Names and reasons of other machines, and strings in files, may hold what a terminal obeys (escape
// sequences), what turns the order of a line around (bidirectional controls) or what is no UTF-8 at
// all. Everything that people read goes through here; results for programs keep their bytes.

#include <fmt/format.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace lingua {

// The text with newlines and tabs, and with all else that is not to be seen written as "\x1b" or
// "\u202e": C0, DEL and C1 controls, bidirectional controls, line separators, invisible and tag
// characters. What is no UTF-8 becomes U+FFFD.
std::string printable(std::string_view text);

// The same on one line, newlines and tabs as spaces. Longer text is cut between characters and ends
// in "...".
std::string one_line(std::string_view text, std::size_t max_bytes = 500);

// The text as it stands inside a JSON document: characters of the kinds above that JSON allows
// unescaped, as "\u202e" with its meaning unchanged. REQUIRES: they stand in strings only.
std::string escaped_json(std::string_view json);

// To standard error, printable. What cannot be written is lost: nobody is there to be told.
// Threads: any.
void tell_text(std::string_view text);

template <class... Args>
void tell(fmt::format_string<Args...> format, Args&&... args) {
  tell_text(fmt::format(format, std::forward<Args>(args)...));
}

// Tells the first few of many things of a kind, then that there are more, then every time their
// number has doubled. Threads: one at a time.
class FewLines {
 public:
  // `what` they are: "refused connections".
  explicit FewLines(std::string what) : what_(std::move(what)) {}
  void tell(const std::string& line);

 private:
  std::string what_;
  std::size_t count_ = 0;
};

}  // namespace lingua
