#include "runtime/app/said_specs.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/units.h"
#include "runtime/device/network_layout.h"

namespace lingua {
namespace {

// A number of a device that it may know better than the file does.
struct Number {
  const char* name;
  const char* field;
  Unit unit;
  double DeviceSpec::*value;
};
constexpr std::array kNumbers = {
    Number{"memory", "memory_bytes", Unit::kBytes, &DeviceSpec::memory_bytes},
    Number{"compute", "flops_per_s", Unit::kFlopsPerSecond, &DeviceSpec::flops_per_s},
    Number{"memory bandwidth", "memory_bytes_per_s", Unit::kBytesPerSecond,
           &DeviceSpec::memory_bytes_per_s},
    Number{"power", "power_w", Unit::kWatts, &DeviceSpec::power_w},
    Number{"battery", "battery_j", Unit::kJoules, &DeviceSpec::battery_j}};

constexpr double kApart = 0.1;  // relatively; of a charge, of a full one

std::string difference(const char* name, double said, double file, Unit unit) {
  const std::string known = file > 0 ? format_quantity(file, unit) : "nothing";
  return fmt::format("{} {} (the cluster file: {})", name, format_quantity(said, unit), known);
}

std::vector<std::string> differences(const DeviceSpec& file, const DeviceSpec& said) {
  std::vector<std::string> texts;
  for (const Number& number : kNumbers) {
    const double of_file = file.*number.value;
    const double of_device = said.*number.value;
    if (of_device > 0 && std::abs(of_device - of_file) > kApart * of_file)
      texts.push_back(difference(number.name, of_device, of_file, number.unit));
  }
  if (said.charge >= 0 && std::abs(said.charge - file.charge) > kApart)
    texts.push_back(difference("charge", said.charge, file.charge, Unit::kShare));
  return texts;
}

}  // namespace

void visit_said(SaidOptions& options, SettingVisitor& visitor) {
  visitor.take({"memory", &options.memory, "memory that may be used (default: what is free now)"});
  visitor.take({"compute", &options.compute,
                "what this device is known to compute, \"20 GFLOP/s\": for `trust` devices"});
  visitor.take({"memory-bandwidth", &options.memory_bandwidth,
                "at which it reads weights, \"10 GB/s\": likewise"});
  visitor.take({"power", &options.power, "that it draws by computing, \"3 W\": likewise"});
  visitor.take({"battery", &options.battery, "a full charge, \"50 kJ\": likewise"});
}

void fill_said(const SaidOptions& options, DeviceSpec* spec) {
  const auto fill = [&](const char* option, const std::string& text, Unit unit, double& value) {
    if (text.empty()) return;
    try {
      value = parse_quantity(text, unit);
      if (value == 0) throw InputError(fmt::format("'{}' is nothing; write more", text));
    } catch (const InputError& error) {
      throw UsageError(fmt::format("{}: {}", option, error.what()));
    }
  };
  fill("`memory`", options.memory, Unit::kBytes, spec->memory_bytes);
  fill("`compute`", options.compute, Unit::kFlopsPerSecond, spec->flops_per_s);
  fill("`memory-bandwidth`", options.memory_bandwidth, Unit::kBytesPerSecond,
       spec->memory_bytes_per_s);
  fill("`power`", options.power, Unit::kWatts, spec->power_w);
  fill("`battery`", options.battery, Unit::kJoules, spec->battery_j);
}

std::string differences_text(const ClusterSpec& file, const std::vector<DeviceSpec>& said) {
  std::string text;
  for (const DeviceSpec& device : said) {
    const int index = file.index_of(device.name);
    if (index < 0) continue;
    std::string all;
    for (const std::string& one :
         differences(file.devices[static_cast<std::size_t>(index)], device))
      all += (all.empty() ? "" : ", ") + one;
    if (!all.empty()) text += fmt::format("{} says: {}\n", device.name, all);
  }
  return text;
}

ClusterSpec as_reached(ClusterSpec file, const std::vector<DeviceSpec>& said) {
  for (const DeviceSpec& device : said) {
    const int index = file.index_of(device.name);
    if (index >= 0 && device.relayed) file.devices[static_cast<std::size_t>(index)].relayed = true;
  }
  lay_relayed_links(&file);
  return file;
}

std::string newly_relayed(const ClusterSpec& file, const std::vector<DeviceSpec>& said) {
  std::string names;
  for (const DeviceSpec& device : said) {
    const int index = file.index_of(device.name);
    if (index < 0 || !device.relayed || file.devices[static_cast<std::size_t>(index)].relayed)
      continue;
    names += (names.empty() ? "" : ", ") + device.name;
  }
  return names;
}

ClusterSpec as_said(ClusterSpec file, const std::vector<DeviceSpec>& said) {
  for (const DeviceSpec& device : said) {
    const int index = file.index_of(device.name);
    if (index < 0) continue;
    DeviceSpec& known = file.devices[static_cast<std::size_t>(index)];
    for (const Number& number : kNumbers) {
      if (device.*number.value > 0) known.*number.value = device.*number.value;
    }
    if (device.charge >= 0) known.charge = device.charge;
    known.cores = device.cores;
    if (device.computing.threads > 0) known.computing.threads = device.computing.threads;
    known.core_kinds = device.core_kinds;
  }
  return as_reached(std::move(file), said);
}

nlohmann::json said_json(const std::vector<DeviceSpec>& said) {
  nlohmann::json all = nlohmann::json::object();
  for (const DeviceSpec& device : said) {
    nlohmann::json& one = all[device.name] = {{"cores", device.cores}};
    if (device.charge >= 0) one["charge"] = device.charge;
    for (const Number& number : kNumbers) {
      if (device.*number.value > 0) one[number.field] = device.*number.value;
    }
    if (device.computing.threads > 0) one["threads"] = device.computing.threads;
    for (const Cores& kind : device.core_kinds) one["core_kinds"].push_back(cores_text(kind));
    if (device.relayed) one["relayed"] = true;
  }
  return all;
}

}  // namespace lingua
