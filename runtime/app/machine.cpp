#include "runtime/app/machine.h"

#include <filesystem>
#include <system_error>
#include <utility>

namespace lingua {
namespace {

// A "Name:   123 kB" line of a /proc file, in bytes.
double proc_kilobytes(std::ifstream&& in, const std::string& name) {
  std::string line;
  while (std::getline(in, line)) {
    if (line.starts_with(name + ":")) return std::stod(line.substr(name.size() + 1)) * 1024;
  }
  return 0;
}

}  // namespace

double available_memory_bytes() {
  return proc_kilobytes(std::ifstream("/proc/meminfo"), "MemAvailable");
}

double peak_memory_bytes() { return PeakMemory().bytes(); }

double PeakMemory::bytes() { return proc_kilobytes(std::move(status_), "VmHWM"); }

std::string this_program() {
  std::error_code error;
  const auto path = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? "lingua" : path.string();
}

}  // namespace lingua
