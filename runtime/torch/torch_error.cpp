#include "runtime/torch/torch_error.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <cstring>
#include <sstream>

namespace lingua {
namespace {

// LibTorch's own words for its broken assumptions ask to report a bug to PyTorch; the cause is the
// file, as a rule.
std::string without_request(const std::string& line) {
  const auto mark = line.find("INTERNAL ASSERT FAILED");
  if (mark == std::string::npos) return line;
  constexpr const char* kRequest = "please report a bug to PyTorch.";
  const auto request = line.find(kRequest, mark);
  std::string rest =
      request == std::string::npos ? "" : line.substr(request + std::strlen(kRequest));
  rest.erase(0, std::min(rest.find_first_not_of(' '), rest.size()));
  return rest.empty() ? "LibTorch does not expect what the file holds" : rest;
}

std::string line_of(const std::exception& error) {
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

}  // namespace

std::string first_line(const std::exception& error) { return without_request(line_of(error)); }

}  // namespace lingua
