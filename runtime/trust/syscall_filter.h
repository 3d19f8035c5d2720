#pragma once
// The system calls that a worker needs once it has joined, and a filter of them. Internal to trust/.

#include <string>

namespace lingua::internal {

// From now on the kernel refuses all others, in all threads. Returns why not, in one line, or "".
std::string filter_system_calls();

}  // namespace lingua::internal
