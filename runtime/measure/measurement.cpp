#include "runtime/measure/measurement.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace lingua {
namespace {

// What is as fast together as alone varies by less.
constexpr double kShared = 0.8;
constexpr std::array kOwnDTypes = {std::pair{DType::kBFloat16, "bf16"},
                                   std::pair{DType::kInt8, "int8"}};

// Five digits in the largest unit that leaves a number of one or more.
std::string exact(double value, Unit unit) {
  struct Scale {
    double factor;
    const char* prefix;
  };
  constexpr std::array kLarge = {Scale{1e12, "T"}, Scale{1e9, "G"}, Scale{1e6, "M"},
                                 Scale{1e3, "k"}, Scale{1, ""}};
  constexpr std::array kSmall = {Scale{1, ""}, Scale{1e-3, "m"}, Scale{1e-6, "u"}};
  const char* name = unit == Unit::kFlopsPerSecond   ? "FLOP/s"
                     : unit == Unit::kBytesPerSecond ? "B/s"
                     : unit == Unit::kBytes          ? "B"
                                                     : "s";
  const auto text = [&](const auto& scales) {
    const auto scale = std::find_if(scales.begin(), scales.end() - 1,
                                    [&](const Scale& one) { return value >= one.factor; });
    return fmt::format("{:.5g} {}{}", value / scale->factor, scale->prefix, name);
  };
  return unit == Unit::kSeconds ? text(kSmall) : text(kLarge);
}

std::string spread(const Figure& figure) {
  const double percent = figure.spread * 100;
  if (figure.samples <= 1) return "one sample";
  return percent < 10 ? fmt::format("+-{:.2g} %", percent) : fmt::format("+-{:.0f} %", percent);
}

// What was tried, and what of it is best.
std::string computing_lines(const DeviceFigures& device) {
  std::string text;
  for (const auto& [computing, speed] : device.tried) {
    const std::string cores =
        computing.cores.empty() ? "" : fmt::format(" on {}", cores_text(computing.cores));
    text += fmt::format("    # threads {}{}: {}, {}\n", computing.threads, cores,
                        exact(speed.flops_per_s.value, Unit::kFlopsPerSecond),
                        exact(speed.memory_bytes_per_s.value, Unit::kBytesPerSecond));
  }
  text += fmt::format("    threads: {}\n", device.best.threads);
  if (!device.best.cores.empty())
    text += fmt::format("    cpus: {}\n", cores_text(device.best.cores));
  return text;
}

std::string device_lines(const DeviceFigures& device, const DeviceSpec& spec) {
  const SpeedFigures& speed = device.by_dtype.at(DType::kFloat32);
  std::string text = fmt::format(
      "  - name: {}\n    compute: {}  # {}\n    memory_bandwidth: {}  # {}\n    memory: {}\n"
      "    cores: {}\n{}    overhead: {}  # {}\n",
      device.name, exact(spec.flops_per_s, Unit::kFlopsPerSecond), spread(speed.flops_per_s),
      exact(spec.memory_bytes_per_s, Unit::kBytesPerSecond), spread(speed.memory_bytes_per_s),
      exact(spec.memory_bytes, Unit::kBytes), spec.cores, computing_lines(device),
      exact(spec.overhead.count(), Unit::kSeconds), spread(device.overhead_s));
  if (spec.by_dtype.empty()) return text;
  text += "    by_dtype:\n";
  for (const auto& [dtype, name] : kOwnDTypes) {
    const auto own = device.by_dtype.find(dtype);
    if (own == device.by_dtype.end()) continue;
    text += fmt::format("      {}: {{compute: {}, memory_bandwidth: {}}}  # {}, {}\n", name,
                        exact(own->second.flops_per_s.value, Unit::kFlopsPerSecond),
                        exact(own->second.memory_bytes_per_s.value, Unit::kBytesPerSecond),
                        spread(own->second.flops_per_s), spread(own->second.memory_bytes_per_s));
  }
  return text;
}

std::string link_line(const std::pair<DeviceName, DeviceName>& ends, const LinkFigures& link) {
  std::string note = fmt::format("{}, {}", spread(link.bytes_per_s), spread(link.latency_s));
  if (link.loaded_latency_s)
    note += fmt::format(", {} under load", exact(link.loaded_latency_s->value, Unit::kSeconds));
  return fmt::format("    - {{from: {}, to: {}, bandwidth: {}, latency: {}}}  # {}, {} a message\n",
                     ends.first, ends.second, exact(link.bytes_per_s.value, Unit::kBytesPerSecond),
                     exact(link.latency_s.value, Unit::kSeconds), note,
                     exact(link.message_s, Unit::kSeconds));
}

}  // namespace

Figure figure_of(std::vector<double> samples) {
  if (samples.empty()) return {};
  std::sort(samples.begin(), samples.end());
  const auto at = [&](double share) {
    return samples[static_cast<std::size_t>(
        std::lround(share * static_cast<double>(samples.size() - 1)))];
  };
  const double middle = at(0.5);
  return {middle, middle > 0 ? (at(0.9) - at(0.1)) / 2 / middle : 0,
          static_cast<int>(samples.size())};
}

bool Measurement::has_medium() const {
  return devices.size() > 1 && together_bytes_per_s > 0 &&
         together_bytes_per_s < kShared * alone_bytes_per_s;
}

ClusterSpec cluster_of(const Measurement& measurement, const std::string& name) {
  ClusterSpec cluster;
  cluster.name = name;
  for (const DeviceFigures& device : measurement.devices) {
    DeviceSpec spec;
    spec.name = device.name;
    const SpeedFigures& speed = device.by_dtype.at(DType::kFloat32);
    spec.flops_per_s = speed.flops_per_s.value;
    spec.memory_bytes_per_s = speed.memory_bytes_per_s.value;
    spec.memory_bytes = device.memory_bytes;
    spec.cores = device.cores;
    spec.computing = device.best;
    spec.overhead = Seconds(device.overhead_s.value);
    for (const auto& [dtype, text] : kOwnDTypes) {
      const auto own = device.by_dtype.find(dtype);
      if (own == device.by_dtype.end()) continue;
      spec.by_dtype[dtype] = {own->second.flops_per_s.value, own->second.memory_bytes_per_s.value};
    }
    cluster.devices.push_back(spec);
  }
  for (const auto& [ends, link] : measurement.links)
    cluster.links[ends] = {link.bytes_per_s.value, Seconds(link.latency_s.value)};
  if (measurement.has_medium()) cluster.shared_bytes_per_s = measurement.together_bytes_per_s;
  return cluster;
}

std::string cluster_file_of(const Measurement& measurement, const std::string& name,
                            const std::string& source) {
  const ClusterSpec cluster = cluster_of(measurement, name);
  std::string text = fmt::format("name: {}\nsource: {}\ndevices:\n", name, source);
  for (std::size_t d = 0; d < cluster.devices.size(); ++d)
    text += device_lines(measurement.devices[d], cluster.devices[d]);
  text += "links:\n  between:\n";
  for (const auto& [ends, link] : measurement.links) text += link_line(ends, link);
  if (measurement.alone_bytes_per_s > 0) {
    text += fmt::format(
        "# Each sending to the next at once: {}; the same links one by one: {} in all.\n",
        exact(measurement.together_bytes_per_s, Unit::kBytesPerSecond),
        exact(measurement.alone_bytes_per_s, Unit::kBytesPerSecond));
  }
  if (cluster.shared_bytes_per_s > 0) {
    text += fmt::format("medium: {{bandwidth: {}}}\n",
                        exact(cluster.shared_bytes_per_s, Unit::kBytesPerSecond));
  }
  return text;
}

}  // namespace lingua
