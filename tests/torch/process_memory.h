#pragma once
// What this process holds of memory, as the kernel counts. Units: bytes.

#include <unistd.h>

#include <fstream>
#include <string>

namespace lingua::testing {

inline double resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  double pages = 0;
  double resident = 0;
  statm >> pages >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

// Of that, what it has touched since forget_touched().
inline void forget_touched() { std::ofstream("/proc/self/clear_refs") << 1; }
inline double touched_bytes() {
  std::ifstream rollup("/proc/self/smaps_rollup");
  for (std::string word; rollup >> word;) {
    double kilobytes = 0;
    if (word == "Referenced:" && rollup >> kilobytes) return 1024 * kilobytes;
  }
  return 0;
}

}  // namespace lingua::testing
