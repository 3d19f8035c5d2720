#include <filesystem>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/device/spec.h"
#include "tests/fuzz/target.h"

namespace lingua::testing {
namespace {

void run(const std::string& bytes) {
  constexpr std::size_t kMostDevices = 10000;
  const ClusterSpec cluster = parse_cluster(bytes, "fuzzed.yaml");
  LINGUA_CHECK(!cluster.devices.empty() && cluster.devices.size() <= kMostDevices);
  cluster.names();
  const DeviceName& last = cluster.devices.back().name;
  for (std::size_t d = 0; d < std::min<std::size_t>(cluster.devices.size(), 10); ++d) {
    const DeviceSpec& device = cluster.devices[d];
    LINGUA_CHECK(device.flops_per_s > 0 && device.memory_bytes > 0 && device.cores > 0, "{}",
                 device.name);
    LINGUA_CHECK(cluster.link(kCoordinator, device.name).bytes_per_s > 0, "{}", device.name);
    LINGUA_CHECK(cluster.link(device.name, last).latency >= Seconds(0), "{}", device.name);
  }
}

// Every field, in YAML's several styles.
std::string every_field() {
  return "name: all\nsource: >-\n  by\n  hand\nheader: a\n"
         "devices:\n"
         "  - {name: a, compute: 20 GFLOP/s, memory_bandwidth: 10 GB/s, memory: 8 GiB, cores: 6,\n"
         "     overhead: 20 us, power: 3 W, battery: 17 Wh, charge: 65 %, source: bench}\n"
         "  - &b\n    name: b\n    compute: 5e9 FLOP/s\n    memory_bandwidth: 80 Gbit/s\n"
         "    memory: 500 MB  # little\n"
         "  - {name: \"c\", count: 3, compute: 1 TFLOP/s, memory_bandwidth: 1 MB/s, memory: 1 GB}\n"
         "links:\n  power: 440 mW\n  default: &link {bandwidth: 320 Mbit/s, latency: 2 ms}\n"
         "  between:\n"
         "    - {from: a, to: b, bandwidth: 1 MB/s, latency: 0 s, both: true}\n"
         "    - {from: coordinator, to: 'c-2', bandwidth: 1 MiB/s, latency: 1 min}\n"
         "medium: {bandwidth: 100 MB/s}\n";
}

std::vector<std::string> samples() {
  std::vector<std::string> all = {
      every_field(),
      "devices: [{name: a, compute: 1 FLOP/s, memory_bandwidth: 1 B/s, memory: 1 B}]"};
  for (const char* name : {"eight-phones", "measured-five", "small-memory", "three-phones"}) {
    all.push_back(read_file(std::string(LINGUA_PLATFORMS "/") + name + ".yaml"));
  }
  return all;
}

}  // namespace

FuzzTarget cluster_target() { return {"cluster", run, samples}; }

}  // namespace lingua::testing
