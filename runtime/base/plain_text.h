#pragma once
// Text from outside as it may reach a terminal or a log.
//
// Names and reasons of other machines, and strings in files, may hold what a terminal obeys (escape
// sequences), what turns the order of a line around (bidirectional controls) or what is no UTF-8 at
// all. Everything that people read goes through here; results for programs keep their bytes.

#include <cstddef>
#include <functional>
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

// The text as one word of a POSIX shell, quoted where it must be.
std::string shell_word(std::string_view text);

// Tells the first few of many things of a kind, then that there are more, then every time their
// number has doubled. Threads: one at a time.
class FewLines {
 public:
  // `what` they are: "refused connections". `say` gets each line, without its end; empty: nobody does.
  FewLines(std::string what, std::function<void(const std::string& line)> say)
      : what_(std::move(what)), say_(std::move(say)) {}
  void tell(const std::string& line);

 private:
  std::string what_;
  std::function<void(const std::string& line)> say_;
  std::size_t count_ = 0;
};

}  // namespace lingua
