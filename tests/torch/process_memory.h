#pragma once
// What this process holds of memory, as the kernel counts. Units: bytes.

#include <unistd.h>

#include <fstream>

namespace lingua::testing {

inline double resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  double pages = 0;
  double resident = 0;
  statm >> pages >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

}  // namespace lingua::testing
