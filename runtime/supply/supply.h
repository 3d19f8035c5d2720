#pragma once
// What devices and links give as a run goes on: values, the same for simulated and for paced devices.
//
// Nobody who plans sees it: it is what a balancer must find out and react to.
// Units: seconds since the run began; speeds and bandwidths as factors of what the cluster file says.
// Threads: values without shared state. Determinism: functions of their arguments.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "runtime/device/spec.h"

namespace lingua {

// The most that a supply says; what is beyond is taken for a mistake.
inline constexpr double kMostSupplySeconds = 1e9;
inline constexpr double kLeastSupplyFactor = 1e-6;
inline constexpr double kMostSupplyFactor = 1e6;

// What a device is like at a time. Nominal, as the cluster file says, where nothing was said yet.
struct DeviceState {
  double speed = 1;      // it computes so many times as fast, its overhead included
  double bandwidth = 1;  // so of its links; a link gives what the slower of its two ends does
  bool present = true;
  std::optional<double> battery = {};  // share of a full charge
  std::optional<double> temperature_c = {};
  bool operator==(const DeviceState&) const = default;
};

// What changes at a time; the rest stays as it is.
struct SupplyChange {
  std::optional<double> speed = {};
  std::optional<double> bandwidth = {};
  std::optional<bool> present = {};
  std::optional<double> battery = {};
  std::optional<double> temperature_c = {};
};

struct SupplyPoint {
  Seconds from{0};
  DeviceState state;
  bool operator==(const SupplyPoint&) const = default;
};

class SupplyTrace {
 public:
  std::string name;    // for people
  std::string source;  // a file, or the specification and seed that made it

  // Of one time and device, the last one said counts. One that changes nothing leaves no trace.
  // REQUIRES: not before what was added of this device; speed, bandwidth > 0.
  void add(const DeviceName& device, Seconds at, const SupplyChange& change);

  DeviceState state_at(const DeviceName& device, Seconds time) const;

  // Of devices that change: their states, each in force until the next one, times ascending.
  const std::map<DeviceName, std::vector<SupplyPoint>>& devices() const { return devices_; }

 private:
  std::map<DeviceName, std::vector<SupplyPoint>> devices_;
};

// When anything changes: ascending, each time once.
std::vector<Seconds> change_times(const SupplyTrace& supply);

// The cluster as it is at a time: speeds and links multiplied, batteries where they are known, without
// devices that are not present. A header that is gone is no header any more. It may have no device left.
// Where a bandwidth is not nominal every pair has its own link, and there is no default: of transfers at
// once, those that went by default do not share less than a device's radio any more.
// REQUIRES: the cluster has the devices of the supply.
ClusterSpec cluster_at(const ClusterSpec& cluster, const SupplyTrace& supply, Seconds time);

// When a device is done with work that begins at `start` and takes `time` at its nominal speed. Work that is
// under way when a speed changes goes on at the new one.
Seconds end_of_work(const SupplyTrace& supply, const DeviceName& device, Seconds start,
                    Seconds time);

// Who is there when.
struct Attendance {
  struct Change {
    Seconds when{0};
    DeviceName device;
    bool comes = false;  // else it goes
    bool operator==(const Change&) const = default;
  };
  std::set<DeviceName> absent;  // at time 0
  std::vector<Change> changes;  // later, times ascending; of one time by name
};
Attendance attendance_of(const SupplyTrace& supply);

// When each device goes that does. Errors: InputError for one that comes, later than at the beginning or
// back: real workers are not brought.
std::map<DeviceName, Seconds> departures_only(const SupplyTrace& supply);

}  // namespace lingua
