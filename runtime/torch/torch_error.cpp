#include "runtime/torch/torch_error.h"

#include <c10/util/Exception.h>

#include <sstream>

namespace lingua {

std::string first_line(const std::exception& error) {
  const auto* torch_error = dynamic_cast<const c10::Error*>(&error);
  std::istringstream lines(torch_error ? torch_error->what_without_backtrace() : error.what());
  std::string line;
  std::string last = "no reason given";
  bool in_traceback = false;
  while (std::getline(lines, line)) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    if (line.starts_with("The following operation failed")) in_traceback = true;
    if (!in_traceback) return line;
    if (!line.starts_with(' ') && line.find("Error: ") != std::string::npos) return line;
    last = line;
  }
  return last;
}

}  // namespace lingua
