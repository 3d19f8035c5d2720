#include "runtime/net/telemetry.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <limits>
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

double available_memory_bytes() {
  std::ifstream file("/proc/meminfo");
  std::string key;
  double kib = 0;
  while (file >> key >> kib) {
    if (key == "MemAvailable:") return kib * 1024;
    file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return 0;
}

double read_number(const std::filesystem::path& path, double otherwise) {
  std::ifstream file(path);
  double value = 0;
  return file >> value ? value : otherwise;
}

// The share of a full charge of the first battery, 1 where there is none.
double battery() {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/sys/class/power_supply", error)) {
    const double percent = read_number(entry.path() / "capacity", -1);
    if (percent >= 0) return std::min(percent / 100, 1.0);
  }
  return 1;
}

}  // namespace

LocalTelemetry::LocalTelemetry() : wall_s_(wall_s()), cpu_s_(cpu_s()) {}

Telemetry LocalTelemetry::read() {
  Telemetry telemetry;
  telemetry.free_memory_bytes = available_memory_bytes();
  telemetry.temperature_c = read_number("/sys/class/thermal/thermal_zone0/temp", 0) / 1000;
  telemetry.battery = battery();
  const double wall = wall_s();
  const double cpu = cpu_s();
  const double cores = std::max(1U, std::thread::hardware_concurrency());
  if (wall > wall_s_) {
    telemetry.load = std::clamp((cpu - cpu_s_) / ((wall - wall_s_) * cores), 0.0, 1.0);
  }
  wall_s_ = wall;
  cpu_s_ = cpu;
  return telemetry;
}

}  // namespace lingua::internal
