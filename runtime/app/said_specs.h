#pragma once
// What joining devices say of themselves, beside what the cluster file says of them.
//
// A number that a device does not know is 0 in what it says, and then the file's counts. Functions of values,
// but for the options. Errors: UsageError names the option of `lingua worker` that is wrong.

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "runtime/app/setting.h"
#include "runtime/device/spec.h"

namespace lingua {

// What a worker is told to say of itself, as quantities; empty: what it finds, or nothing.
struct SaidOptions {
  std::string memory;
  std::string compute;
  std::string memory_bandwidth;
  std::string power;
  std::string battery;
};
void visit_said(SaidOptions& options, SettingVisitor& visitor);
// Of the options that are set.
void fill_said(const SaidOptions& options, DeviceSpec* spec);

// A line for each device that says something else than the file, by more than a tenth; empty when none does.
std::string differences_text(const ClusterSpec& file, const std::vector<DeviceSpec>& said);

// The file's with what comes to those devices through the coordinator that take no connections.
ClusterSpec as_reached(ClusterSpec file, const std::vector<DeviceSpec>& said);
// Their names, of those that the file does not know of: "anna, ben"; empty where it knows.
std::string newly_relayed(const ClusterSpec& file, const std::vector<DeviceSpec>& said);

// The cluster of the file with its devices as they say they are. Devices that the file does not have are left
// out.
ClusterSpec as_said(ClusterSpec file, const std::vector<DeviceSpec>& said);

// {"phone-1": {"memory_bytes": 3.2e9, "cores": 8, "charge": 0.4}}: what they know.
nlohmann::json said_json(const std::vector<DeviceSpec>& said);

}  // namespace lingua
