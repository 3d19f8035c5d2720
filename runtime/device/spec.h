#pragma once
// Devices, links and clusters as values: what never changes during a run.
//
// Units: FLOP/s, bytes, bytes/s, seconds, watts, joules. Every number in a cluster file carries its unit.
// Errors: load_cluster throws InputError "FILE: field: 'value' ...; write ..." for anything unknown,
// missing, twice or out of range.

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "runtime/base/cores.h"
#include "runtime/base/units.h"
#include "runtime/model/graph.h"

namespace lingua {

// A device is named everywhere by its name in the cluster: in plans, messages and logs.
using DeviceName = std::string;

// The name of the machine that submits requests; no device may have it.
inline const DeviceName kCoordinator = "coordinator";

// What the names of clients begin with: they live where the coordinator lives, and no device has a
// colon in its name.
inline constexpr const char* kClientPrefix = "client:";
inline bool is_client(const DeviceName& name) { return name.starts_with(kClientPrefix); }

// With what a device's numerics compute.
struct Computing {
  int threads = 0;   // 0: one for each of the cores
  Cores cores = {};  // empty: all that the device may run on
  bool operator==(const Computing&) const = default;
};

struct DeviceSpeed {
  double flops_per_s = 0;
  double memory_bytes_per_s = 0;
};

struct DeviceSpec {
  DeviceName name;
  double flops_per_s = 0;         // sustained, all cores, matrix times matrix in fp32
  double memory_bytes_per_s = 0;  // sustained, for reading weights
  double memory_bytes = 0;        // available to weights, states and activations
  int cores = 1;
  Seconds overhead{0};   // per segment and step, besides compute and memory traffic
  double power_w = 0;    // drawn by computing, on top of what the idle device draws; 0: not known
  double battery_j = 0;  // a full charge; 0: not known, or on mains
  // Share of a full charge that the battery holds now; below 0: a device does not know it.
  double charge = 1;
  Computing computing = {};  // where a run says nothing; a worker's own threads win
  // Takes no connections: what other devices send it goes through the coordinator.
  bool relayed = false;
  std::map<DType, DeviceSpeed> by_dtype = {};  // of weights in another dtype than fp32, where known
  // The cores that it may run on, by their kinds, the fastest first; empty: not known.
  std::vector<Cores> core_kinds = {};

  // What it makes of a wish: its own threads where it has chosen them, and only cores that it may run on.
  Computing possible(const Computing& wish) const;

  // The same device, as fast as it is with weights of this dtype. The one place that says so.
  DeviceSpec in_dtype(DType dtype) const;

  // From now on it computes `factor` times as slowly. REQUIRES: factor > 0.
  void slow_down(double factor) {
    flops_per_s /= factor;
    memory_bytes_per_s /= factor;
    overhead *= factor;
    for (auto& [dtype, speed] : by_dtype) {
      speed.flops_per_s /= factor;
      speed.memory_bytes_per_s /= factor;
    }
  }
};

struct LinkSpec {
  double bytes_per_s = 0;
  Seconds latency{0};  // one way
};

struct ClusterSpec {
  std::string name;
  std::string source;  // where the numbers come from
  DeviceName header;   // the device that must run the first segment; empty: the planner's choice
  std::vector<DeviceSpec> devices;
  LinkSpec default_link;
  std::map<std::pair<DeviceName, DeviceName>, LinkSpec> links;  // directed, where not the default
  // A medium that all transfers between devices share (an access point): bytes/s, 0 for none.
  double shared_bytes_per_s = 0;
  // Drawn by the two radios of a link together while it carries bytes, on top of what they draw idle;
  // 0: not known.
  double radio_power_w = 0;

  // REQUIRES: the device exists.
  const DeviceSpec& device(const DeviceName& name) const;
  int index_of(const DeviceName& name) const;  // -1 when there is none
  std::string names() const;  // "a b c", of many devices the first few: for messages
  // The link from one device (or the coordinator) to another. A device reaches itself at once.
  LinkSpec link(const DeviceName& from, const DeviceName& to) const;
  // Its devices with weights of this dtype.
  ClusterSpec in_dtype(DType dtype) const;
};

// Reads a cluster file (YAML; format in platforms/README.md), or draws one where `file` is a specification as
// drawn_cluster.h says.
ClusterSpec load_cluster(const std::filesystem::path& file);

// What load_cluster() parses: the text of the file, or of the cluster that is drawn.
std::string cluster_text(const std::filesystem::path& file);

// The same from text; `origin` names it in errors.
ClusterSpec parse_cluster(const std::string& yaml, const std::string& origin);

// What changes on a device while it runs.
struct Telemetry {
  double free_memory_bytes =
      0;                     // a worker reports what its engine has not given away, if that is less
  double temperature_c = 0;  // 0: not known
  double battery = -1;       // share of a full charge; below 0: not known
  double load = 0;           // share of the time spent computing since the last reading
};

}  // namespace lingua
