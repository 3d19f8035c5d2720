#pragma once
// LibTorch's exceptions in one line.
//
// Internal to torch/.

#include <exception>
#include <string>

namespace lingua {

// The line of the message that says what happened, without backtraces, source excerpts and frames.
std::string first_line(const std::exception& error);

}  // namespace lingua
