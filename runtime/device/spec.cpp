#include "runtime/device/spec.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <optional>
#include <set>
#include <sstream>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/device/drawn_cluster.h"
#include "runtime/device/network_layout.h"

namespace lingua {
namespace {

constexpr std::uint64_t kMaxFileBytes = 4ULL << 20;
constexpr std::size_t kMaxDevices = 10000;
constexpr std::size_t kMaxRelayedPairs = 1'000'000;  // each of which has a link
constexpr std::size_t kMaxNameLength = 64;
constexpr int kMaxCores = 1024;
constexpr int kMaxThreads = 1024;
// Speeds and sizes beyond this are typing errors, and would not fit an int64.
constexpr double kMaxQuantity = 1e18;
constexpr double kMaxSeconds = 3600;
constexpr double kMinPowerW = 1e-3;
constexpr double kMaxPowerW = 1e4;
constexpr double kMaxBatteryJ = 1e9;
// What a link is like when nothing is said: only a lone device's, to and from the coordinator.
constexpr LinkSpec kLoneLink{1e9, Seconds(1e-4)};

// A value from the file for an error message: one line, printable, short.
std::string shown(const std::string& text) {
  constexpr std::size_t kLongest = 80;
  std::string result;
  for (const char c : text.substr(0, kLongest)) {
    const auto byte = static_cast<unsigned char>(c);
    result += byte >= 0x20 && byte < 0x7f ? std::string(1, c) : fmt::format("\\x{:02x}", byte);
  }
  return result + (text.size() > kLongest ? "..." : "");
}

// Where in the file a value stands: "FILE" and "devices[2].memory".
struct Place {
  std::string file;
  std::string field;

  Place at(const std::string& name) const {
    return {file, field.empty() ? name : field + "." + name};
  }
  Place at(std::size_t index) const { return {file, fmt::format("{}[{}]", field, index)}; }

  [[noreturn]] void fail(const std::string& what) const {
    throw InputError(fmt::format("{}: {}{}{}", file, field, field.empty() ? "" : ": ", what));
  }
  [[noreturn]] void refuse(const std::string& value, const std::string& accepted) const {
    fail(fmt::format("'{}' is not accepted; write {}", shown(value), accepted));
  }
};

std::string scalar(const YAML::Node& node, const Place& place, const std::string& accepted) {
  if (!node.IsScalar()) {
    place.fail(fmt::format("is {}; write {}",
                           node.IsNull()       ? "empty"
                           : node.IsSequence() ? "a list"
                                               : "a mapping",
                           accepted));
  }
  return node.Scalar();
}

// The fields of one mapping: refuses at once those that it does not know and those that stand
// twice.
class Fields {
 public:
  Fields(const YAML::Node& node, Place place, std::initializer_list<const char*> known)
      : place_(std::move(place)) {
    const std::string names = fmt::format("{}", fmt::join(known, ", "));
    if (!node.IsMap()) {
      place_.fail(fmt::format("is not a mapping; write 'field: value' lines with {}", names));
    }
    for (const auto& entry : node) {
      const std::string key = scalar(entry.first, place_, "a field's name: one of " + names);
      if (std::find(known.begin(), known.end(), key) == known.end()) {
        place_.at(shown(key)).fail("is not a field here; write one of " + names);
      }
      if (!values_.emplace(key, entry.second).second) {
        place_.at(key).fail("stands twice; write it once");
      }
    }
  }

  const Place& place() const { return place_; }
  bool has(const std::string& name) const { return values_.count(name) > 0; }

  const YAML::Node& get(const std::string& name, const std::string& accepted) const {
    const auto found = values_.find(name);
    if (found == values_.end()) place_.at(name).fail("is missing; write " + accepted);
    return found->second;
  }

  std::string text(const std::string& name, const std::string& accepted) const {
    const std::string value = scalar(get(name, accepted), place_.at(name), accepted);
    if (value.empty()) place_.at(name).fail("is empty; write " + accepted);
    return value;
  }

  bool yes_or_no(const std::string& name) const {
    const std::string value = text(name, "true or false");
    if (value != "true" && value != "false") place_.at(name).refuse(value, "true or false");
    return value == "true";
  }

  // Letters, digits and . _ -: what can stand in a file name, a log and a command line.
  std::string identifier(const std::string& name) const {
    const std::string accepted =
        fmt::format("1 to {} letters, digits, '.', '_' or '-'", kMaxNameLength);
    const std::string value = text(name, accepted);
    constexpr std::string_view kAllowed =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    if (value.size() > kMaxNameLength || value.find_first_not_of(kAllowed) != std::string::npos) {
      place_.at(name).refuse(value, accepted);
    }
    return value;
  }

  // A speed or a size.
  double amount(const std::string& name, Unit unit, const char* example, double least = 1,
                double most = kMaxQuantity) const {
    const double value = quantity(name, unit, example);
    if (value < least) refuse_amount(name, "at least", format_quantity(least, unit), example);
    if (value > most) refuse_amount(name, "at most", format_quantity(most, unit), example);
    return value;
  }

  double power(const std::string& name, const char* example) const {
    return amount(name, Unit::kWatts, example, kMinPowerW, kMaxPowerW);
  }

  double share(const std::string& name) const { return quantity(name, Unit::kShare, "65 %"); }

  Seconds seconds(const std::string& name, const char* example) const {
    const double value = quantity(name, Unit::kSeconds, example);
    if (!(value <= kMaxSeconds)) {
      place_.at(name).refuse(text(name, example),
                             fmt::format("at most {} s, as in {}", kMaxSeconds, example));
    }
    return Seconds(value);
  }

  std::size_t whole(const std::string& name, std::size_t largest) const {
    const std::string accepted = fmt::format("a whole number from 1 to {}", largest);
    const std::string value = text(name, accepted);
    std::size_t number = 0;
    const auto [rest, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc() || rest != value.data() + value.size() || number < 1 ||
        number > largest) {
      place_.at(name).refuse(value, accepted);
    }
    return number;
  }

 private:
  [[noreturn]] void refuse_amount(const std::string& name, const char* bound,
                                  const std::string& limit, const char* example) const {
    place_.at(name).refuse(text(name, example),
                           fmt::format("{} {}, as in {}", bound, limit, example));
  }

  double quantity(const std::string& name, Unit unit, const char* example) const {
    const std::string value = text(name, fmt::format("a number with its unit, as in {}", example));
    try {
      return parse_quantity(shown(value), unit);
    } catch (const InputError& error) {
      place_.at(name).fail(error.what());
    }
  }

  Place place_;
  std::map<std::string, YAML::Node> values_;
};

void read_energy(const Fields& fields, DeviceSpec& device) {
  if (fields.has("power")) device.power_w = fields.power("power", "3 W");
  if (fields.has("battery")) {
    device.battery_j = fields.amount("battery", Unit::kJoules, "17 Wh", 1, kMaxBatteryJ);
  }
  if (!fields.has("charge")) return;
  device.charge = fields.share("charge");
  if (!fields.has("battery")) {
    fields.place().at("charge").fail(
        "is the charge of a battery that is not given; write battery: 17 Wh beside it, or leave it "
        "out");
  }
}

// Weights of these dtypes have speeds of their own; fp32's are the device's.
void read_by_dtype(const Fields& fields, DeviceSpec& device) {
  const std::pair<const char*, DType> dtypes[] = {{"bf16", DType::kBFloat16},
                                                  {"int8", DType::kInt8}};
  const Fields all(fields.get("by_dtype", ""), fields.place().at("by_dtype"), {"bf16", "int8"});
  for (const auto& [name, dtype] : dtypes) {
    if (!all.has(name)) continue;
    const Fields one(all.get(name, ""), all.place().at(name), {"compute", "memory_bandwidth"});
    device.by_dtype[dtype] = {one.amount("compute", Unit::kFlopsPerSecond, "20 GFLOP/s"),
                              one.amount("memory_bandwidth", Unit::kBytesPerSecond, "10 GB/s")};
  }
}

Cores read_cpus(const Fields& fields) {
  const char* accepted = "the numbers of its cores, as 4-7 or 0-3,6";
  const std::string text = fields.text("cpus", accepted);
  std::optional<Cores> cores = listed_cores(text);
  if (!cores) fields.place().at("cpus").refuse(text, accepted);
  return std::move(*cores);
}

void read_device(const Fields& fields, ClusterSpec& cluster, std::set<DeviceName>& names) {
  DeviceSpec device;
  const std::string name = fields.identifier("name");
  device.flops_per_s = fields.amount("compute", Unit::kFlopsPerSecond, "20 GFLOP/s");
  device.memory_bytes_per_s = fields.amount("memory_bandwidth", Unit::kBytesPerSecond, "10 GB/s");
  device.memory_bytes = fields.amount("memory", Unit::kBytes, "8 GB");
  if (fields.has("cores")) device.cores = static_cast<int>(fields.whole("cores", kMaxCores));
  if (fields.has("threads"))
    device.computing.threads = static_cast<int>(fields.whole("threads", kMaxThreads));
  if (fields.has("cpus")) device.computing.cores = read_cpus(fields);
  if (fields.has("overhead")) device.overhead = fields.seconds("overhead", "20 us");
  if (fields.has("by_dtype")) read_by_dtype(fields, device);
  read_energy(fields, device);
  if (fields.has("relayed")) device.relayed = fields.yes_or_no("relayed");
  if (fields.has("source")) fields.text("source", "where the numbers come from");

  const std::size_t room = kMaxDevices - cluster.devices.size();
  if (room == 0) {
    fields.place().fail(fmt::format("is one too many; write at most {} devices", kMaxDevices));
  }
  const std::size_t count = fields.has("count") ? fields.whole("count", room) : 1;
  for (std::size_t i = 1; i <= count; ++i) {
    device.name = fields.has("count") ? fmt::format("{}-{}", name, i) : name;
    if (device.name == kCoordinator) {
      fields.place().at("name").refuse(
          device.name, "another name (this one is the machine that submits requests)");
    }
    if (!names.insert(device.name).second) {
      fields.place().at("name").fail(
          fmt::format("'{}' stands twice; write another name", device.name));
    }
    cluster.devices.push_back(device);
  }
}

void read_devices(const Fields& top, ClusterSpec& cluster, std::set<DeviceName>& names) {
  const char* accepted =
      "a list with one '- {name: ..., compute: ..., memory_bandwidth: ..., memory: ...}' or more";
  const YAML::Node& list = top.get("devices", accepted);
  const Place place = top.place().at("devices");
  if (!list.IsSequence() || list.size() == 0) {
    place.fail(
        fmt::format("is {}; write {}", list.IsSequence() ? "empty" : "not a list", accepted));
  }
  std::size_t index = 0;
  for (const auto& entry : list) {
    read_device(Fields(entry, place.at(index++),
                       {"name", "compute", "memory_bandwidth", "memory", "cores", "threads", "cpus",
                        "overhead", "by_dtype", "power", "battery", "charge", "relayed", "count",
                        "source"}),
                cluster, names);
  }
}

LinkSpec read_link(const Fields& fields) {
  return {fields.amount("bandwidth", Unit::kBytesPerSecond, "40 MB/s"),
          fields.seconds("latency", "2 ms")};
}

void read_between(const Fields& fields, const std::set<DeviceName>& names, ClusterSpec& cluster) {
  const auto end = [&](const std::string& field) {
    const std::string accepted = "the name of a device in 'devices', or coordinator";
    const std::string name = fields.text(field, accepted);
    if (name != kCoordinator && names.count(name) == 0) {
      fields.place().at(field).refuse(name, accepted);
    }
    return name;
  };
  const DeviceName from = end("from");
  const DeviceName to = end("to");
  if (from == to) fields.place().at("to").refuse(to, "another device than in 'from'");
  const LinkSpec link = read_link(fields);
  const bool both = fields.has("both") && fields.yes_or_no("both");
  const auto add = [&](const DeviceName& a, const DeviceName& b) {
    if (!cluster.links.emplace(std::pair(a, b), link).second) {
      fields.place().fail(
          fmt::format("the link from '{}' to '{}' stands twice; write it once", a, b));
    }
  };
  add(from, to);
  if (both) add(to, from);
}

// Without a default link, a device that `between` joins to no other.
void refuse_isolated(const Place& place, const ClusterSpec& cluster) {
  std::set<DeviceName> linked;
  for (const auto& [ends, link] : cluster.links) {
    if (ends.first == kCoordinator || ends.second == kCoordinator) continue;
    linked.insert({ends.first, ends.second});
  }
  for (const DeviceSpec& device : cluster.devices) {
    if (linked.count(device.name) > 0) continue;
    place.at("between").fail(
        fmt::format("has no link between '{}' and any other device, and there is no default; write "
                    "its links, or default: {{bandwidth: 40 MB/s, latency: 2 ms}}",
                    device.name));
  }
}

// Without a default link, every device must have a link to and from all others and the coordinator.
void require_all_links(const Place& place, const ClusterSpec& cluster) {
  refuse_isolated(place, cluster);
  std::vector<DeviceName> ends;
  for (const DeviceSpec& device : cluster.devices) ends.push_back(device.name);
  ends.push_back(kCoordinator);
  for (const DeviceName& from : ends) {
    for (const DeviceName& to : ends) {
      if (from == to || cluster.links.count({from, to}) > 0) continue;
      place.at("default").fail(
          fmt::format("is missing, and 'between' has no link from '{}' to '{}'; write "
                      "{{bandwidth: 40 MB/s, latency: 2 ms}} or that link",
                      from, to));
    }
  }
}

void read_links(const Fields& top, const std::set<DeviceName>& names, ClusterSpec& cluster) {
  const bool lone = cluster.devices.size() == 1;
  if (lone) cluster.default_link = kLoneLink;
  if (lone && !top.has("links")) return;
  const Fields links(top.get("links", "{default: {bandwidth: 40 MB/s, latency: 2 ms}}"),
                     top.place().at("links"), {"power", "default", "between"});
  if (links.has("power")) cluster.radio_power_w = links.power("power", "440 mW");
  if (links.has("default")) {
    cluster.default_link = read_link(
        Fields(links.get("default", ""), links.place().at("default"), {"bandwidth", "latency"}));
  }
  if (links.has("between")) {
    const YAML::Node& list = links.get("between", "");
    const Place place = links.place().at("between");
    if (!list.IsSequence()) {
      place.fail("is not a list; write '- {from: a, to: b, bandwidth: ..., latency: ...}' lines");
    }
    std::size_t index = 0;
    for (const auto& entry : list) {
      read_between(Fields(entry, place.at(index++), {"from", "to", "bandwidth", "latency", "both"}),
                   names, cluster);
    }
  }
  if (links.has("default") || lone) return;
  if (!links.has("between")) {
    links.place().at("default").fail(
        "is missing; write {bandwidth: 40 MB/s, latency: 2 ms}, or the link of each pair in "
        "'between'");
  }
  require_all_links(links.place(), cluster);
}

// Takes no notice of what a document holds.
struct Unheeded : YAML::EventHandler {
  using Mark = YAML::Mark;
  using Anchor = YAML::anchor_t;
  using Style = YAML::EmitterStyle::value;
  void OnDocumentStart(const Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const Mark&, Anchor) override {}
  void OnAlias(const Mark&, Anchor) override {}
  void OnScalar(const Mark&, const std::string&, Anchor, const std::string&) override {}
  void OnSequenceStart(const Mark&, const std::string&, Anchor, Style) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const Mark&, const std::string&, Anchor, Style) override {}
  void OnMapEnd() override {}
};

// Counts to two: yaml-cpp finds documents without end in a text that begins with a comma.
int documents_in(const std::string& yaml) {
  std::istringstream text(yaml);
  YAML::Parser parser(text);
  Unheeded unheeded;
  int count = 0;
  while (count < 2 && parser.HandleNextDocument(unheeded)) ++count;
  return count;
}

ClusterSpec read_cluster(const YAML::Node& root, const std::string& origin) {
  const Fields top(root, {origin, ""}, {"name", "source", "header", "devices", "links", "medium"});
  ClusterSpec cluster;
  cluster.name =
      top.has("name") ? top.identifier("name") : std::filesystem::path(origin).stem().string();
  if (top.has("source")) cluster.source = top.text("source", "where the numbers come from");
  std::set<DeviceName> names;
  read_devices(top, cluster, names);
  if (top.has("header")) {
    cluster.header = top.text("header", "the name of a device");
    if (names.count(cluster.header) == 0) {
      top.place().at("header").refuse(cluster.header, "the name of a device in 'devices'");
    }
  }
  read_links(top, names, cluster);
  if (top.has("medium")) {
    const Fields medium(top.get("medium", ""), top.place().at("medium"), {"bandwidth"});
    cluster.shared_bytes_per_s = medium.amount("bandwidth", Unit::kBytesPerSecond, "100 MB/s");
  }
  const auto relayed = static_cast<std::size_t>(
      std::count_if(cluster.devices.begin(), cluster.devices.end(),
                    [](const DeviceSpec& device) { return device.relayed; }));
  if (relayed * cluster.devices.size() > kMaxRelayedPairs) {
    top.place().at("devices").fail(
        fmt::format("has {} relayed devices of {}; write at most {} of so many", relayed,
                    cluster.devices.size(), kMaxRelayedPairs / cluster.devices.size()));
  }
  lay_relayed_links(&cluster);
  return cluster;
}

}  // namespace

std::string cluster_text(const std::filesystem::path& file) {
  return is_drawn_cluster(file.string()) ? drawn_cluster(file.string())
                                         : read_file(file, kMaxFileBytes);
}

ClusterSpec load_cluster(const std::filesystem::path& file) {
  return parse_cluster(cluster_text(file), file.string());
}

ClusterSpec parse_cluster(const std::string& yaml, const std::string& origin) {
  if (yaml.size() > kMaxFileBytes) {
    throw InputError(fmt::format("{}: larger than {} bytes", origin, kMaxFileBytes));
  }
  try {
    if (const int documents = documents_in(yaml); documents != 1) {
      throw InputError(
          fmt::format("{}: holds {} YAML document; write one, with name, source, devices, links",
                      origin, documents == 0 ? "no" : "more than one"));
    }
    return read_cluster(YAML::Load(yaml), origin);
  } catch (const YAML::Exception& error) {
    throw InputError(
        fmt::format("{}: line {}: is not YAML: {}; write it as platforms/README.md says", origin,
                    error.mark.line + 1, shown(error.msg)));
  }
}

}  // namespace lingua
