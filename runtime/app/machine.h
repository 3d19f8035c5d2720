#pragma once
// Facts of the machine this process runs on. Units: bytes. Source: /proc (Linux, Android).

#include <fstream>
#include <string>

namespace lingua {

double available_memory_bytes();  // 0 when it cannot be told
double peak_memory_bytes();       // of this process
std::string this_program();       // path of the running executable

// The peak memory of a process that will be able to open no file when it asks. Called once.
class PeakMemory {
 public:
  double bytes();

 private:
  std::ifstream status_{"/proc/self/status"};
};

}  // namespace lingua
