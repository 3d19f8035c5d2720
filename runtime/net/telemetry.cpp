#include "runtime/net/telemetry.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <limits>
#include <sstream>
#include <string>
#include <thread>

namespace lingua::internal {
namespace {

double wall_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double cpu_s() {
  timespec used{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
}

FileDescriptor open_file(const std::filesystem::path& path) {
  return FileDescriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
}

// What such a file says now, of its first kilobytes.
std::string content(const FileDescriptor& file) {
  std::array<char, 4096> text{};
  const ssize_t size = ::pread(file.get(), text.data(), text.size(), 0);
  return {text.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
}

double available_memory_bytes(const FileDescriptor& file) {
  std::istringstream lines(content(file));
  std::string key;
  double kib = 0;
  while (lines >> key >> kib) {
    if (key == "MemAvailable:") return kib * 1024;
    lines.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return 0;
}

double read_number(const FileDescriptor& file, double otherwise) {
  std::istringstream text(content(file));
  double value = 0;
  return text >> value ? value : otherwise;
}

// Of a mouse or a keyboard, not of this machine.
bool is_of_accessory(const std::filesystem::path& supply) {
  std::istringstream text(content(open_file(supply / "scope")));
  std::string scope;
  return text >> scope && scope == "Device";
}

// The charge of the machine's first battery, in percent; none where there is none.
FileDescriptor open_battery(const std::filesystem::path& supplies) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(supplies, error)) {
    if (is_of_accessory(entry.path())) continue;
    FileDescriptor file = open_file(entry.path() / "capacity");
    if (read_number(file, -1) >= 0) return file;
  }
  return FileDescriptor();
}

}  // namespace

LocalTelemetry::LocalTelemetry(const std::filesystem::path& sensors)
    : memory_(open_file("/proc/meminfo")),
      temperature_(open_file(sensors / "thermal/thermal_zone0/temp")),
      battery_(open_battery(sensors / "power_supply")),
      cores_(std::max(1U, std::thread::hardware_concurrency())),
      wall_s_(wall_s()),
      cpu_s_(cpu_s()) {}

Telemetry LocalTelemetry::read() {
  Telemetry telemetry;
  telemetry.free_memory_bytes = available_memory_bytes(memory_);
  telemetry.temperature_c = read_number(temperature_, 0) / 1000;
  telemetry.battery = std::min(read_number(battery_, -100) / 100, 1.0);
  const double wall = wall_s();
  const double cpu = cpu_s();
  if (wall > wall_s_) {
    telemetry.load = std::clamp((cpu - cpu_s_) / ((wall - wall_s_) * cores_), 0.0, 1.0);
  }
  wall_s_ = wall;
  cpu_s_ = cpu;
  return telemetry;
}

}  // namespace lingua::internal
