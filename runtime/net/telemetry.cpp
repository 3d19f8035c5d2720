#include "runtime/net/telemetry.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <cmath>
#include <ctime>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <sstream>
#include <string>

#include "runtime/base/cores.h"

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

// A "Name:   123 kB" line of a /proc file, in bytes; 0 where it has none.
double kilobytes(const FileDescriptor& file, const std::string& name) {
  std::istringstream lines(content(file));
  std::string key;
  double kib = 0;
  while (lines >> key) {
    if (key == name + ":") return lines >> kib ? kib * 1024 : 0;
    lines.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return 0;
}

std::optional<double> number(const FileDescriptor& file) {
  std::istringstream text(content(file));
  double value = 0;
  return text >> value ? std::optional(value) : std::nullopt;
}

// In small letters.
std::string word(const std::filesystem::path& file) {
  std::istringstream text(content(open_file(file)));
  std::string word;
  text >> word;
  for (char& c : word) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return word;
}

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

// What a thermal zone of this type measures: the processor best of all.
enum class Heat { kProcessor, kSoc, kSkin, kFirmware, kOther };
Heat heat_of(const std::string& type) {
  for (const char* other : {"bat", "pmic", "pm8", "charg", "usb", "wifi", "wlan", "modem", "gpu"}) {
    if (has(type, other)) return Heat::kOther;
  }
  for (const char* clusters : {"big", "mid", "little", "x86_pkg_temp", "coretemp", "k10temp"}) {
    if (type == clusters) return Heat::kProcessor;
  }
  if (has(type, "cpu")) return Heat::kProcessor;
  // "soc" alone is Qualcomm's state of charge, in percent.
  if (type.starts_with("soc") && type != "soc") return Heat::kSoc;
  if (has(type, "skin") || has(type, "quiet")) return Heat::kSkin;
  return type == "acpitz" ? Heat::kFirmware : Heat::kOther;
}

// Not known: what no phone or PC has while it runs.
std::optional<double> celsius(double value) {
  constexpr double kColdest = -40;
  constexpr double kHottest = 150;
  constexpr double kLeastThousandths = 1000;
  if (std::abs(value) >= kLeastThousandths) {
    value /= 1000;
  } else if (value > kHottest) {
    value /= 10;
  }
  if (value == 0 || value <= kColdest || value > kHottest) return std::nullopt;
  return value;
}

// Those of the best kind that there is and that can be read.
std::vector<FileDescriptor> open_temperatures(const std::filesystem::path& zones) {
  constexpr std::size_t kMost = 64;
  std::map<Heat, std::vector<FileDescriptor>> files;
  std::error_code error;
  for (const auto& zone : std::filesystem::directory_iterator(zones, error)) {
    if (!zone.path().filename().string().starts_with("thermal_zone")) continue;
    const Heat heat = heat_of(word(zone.path() / "type"));
    if (heat == Heat::kOther || files[heat].size() == kMost) continue;
    FileDescriptor file = open_file(zone.path() / "temp");
    if (number(file)) files[heat].push_back(std::move(file));
  }
  for (auto& [heat, of_kind] : files) {
    if (!of_kind.empty()) return std::move(of_kind);
  }
  return {};
}

}  // namespace

LocalTelemetry::LocalTelemetry(const std::filesystem::path& sensors)
    : memory_(open_file("/proc/meminfo")),
      status_(open_file("/proc/self/status")),
      temperatures_(open_temperatures(sensors / "thermal")),
      batteries_(open_batteries(sensors / "power_supply")),
      cores_(static_cast<double>(allowed_cores().size())),
      wall_s_(wall_s()),
      cpu_s_(cpu_s()) {}

std::vector<LocalTelemetry::Battery> LocalTelemetry::open_batteries(
    const std::filesystem::path& supplies) {
  std::vector<Battery> batteries;
  std::vector<std::filesystem::path> folders;
  std::error_code error;
  for (const auto& supply : std::filesystem::directory_iterator(supplies, error)) {
    const std::filesystem::path& folder = supply.path();
    if (word(folder / "type") != "battery" || word(folder / "scope") == "device") continue;
    Battery battery{open_file(folder / "capacity")};
    if (!number(battery.percent)) continue;
    batteries.push_back(std::move(battery));
    folders.push_back(folder);
  }
  for (const char* full : {"energy_full", "charge_full"}) {
    std::vector<double> weights;
    for (const std::filesystem::path& folder : folders)
      weights.push_back(number(open_file(folder / full)).value_or(0));
    if (!std::all_of(weights.begin(), weights.end(), [](double w) { return w > 0; })) continue;
    for (std::size_t i = 0; i < batteries.size(); ++i) batteries[i].weight = weights[i];
    break;
  }
  return batteries;
}

Telemetry LocalTelemetry::read() {
  Telemetry telemetry;
  telemetry.free_memory_bytes = kilobytes(memory_, "MemAvailable");
  std::optional<double> hottest;
  for (const FileDescriptor& file : temperatures_) {
    const std::optional<double> value = number(file);
    const std::optional<double> degrees = value ? celsius(*value) : std::nullopt;
    if (degrees) hottest = std::max(*degrees, hottest.value_or(*degrees));
  }
  telemetry.temperature_c = hottest.value_or(telemetry.temperature_c);
  double held = 0;
  double weight = 0;
  for (const Battery& battery : batteries_) {
    const std::optional<double> percent = number(battery.percent);
    if (!percent || *percent < 0) continue;
    held += std::min(*percent / 100, 1.0) * battery.weight;
    weight += battery.weight;
  }
  if (weight > 0) telemetry.battery = held / weight;
  const double wall = wall_s();
  const double cpu = cpu_s();
  if (wall > wall_s_) {
    telemetry.load = std::clamp((cpu - cpu_s_) / ((wall - wall_s_) * cores_), 0.0, 1.0);
  }
  wall_s_ = wall;
  cpu_s_ = cpu;
  return telemetry;
}

double LocalTelemetry::peak_memory_bytes() const { return kilobytes(status_, "VmHWM"); }

}  // namespace lingua::internal
