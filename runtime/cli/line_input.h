#pragma once
// Lines from standard input, for which one need not wait to the end.

#include <functional>
#include <string>

namespace lingua {

class LineInput {
 public:
  // The next line, without its end. False at the end of the input, and when `over` says so, which is
  // asked several times a second.
  bool read(std::string& line, const std::function<bool()>& over);

 private:
  bool take_line(std::string& line);

  std::string buffer_;
  bool at_end_ = false;
};

}  // namespace lingua
