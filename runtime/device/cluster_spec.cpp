#include <algorithm>
#include <limits>

#include "runtime/base/errors.h"
#include "runtime/device/spec.h"

namespace lingua {

DeviceSpec DeviceSpec::in_dtype(DType dtype) const {
  DeviceSpec device = *this;
  device.by_dtype.clear();
  const auto own = by_dtype.find(dtype);
  if (own == by_dtype.end()) return device;
  device.flops_per_s = own->second.flops_per_s;
  device.memory_bytes_per_s = own->second.memory_bytes_per_s;
  return device;
}

Computing DeviceSpec::possible(const Computing& wish) const {
  Computing computing = wish;
  if (this->computing.threads > 0) computing.threads = this->computing.threads;
  const auto has = [&](int core) {
    return std::any_of(core_kinds.begin(), core_kinds.end(), [&](const Cores& kind) {
      return std::find(kind.begin(), kind.end(), core) != kind.end();
    });
  };
  if (!std::all_of(wish.cores.begin(), wish.cores.end(), has)) computing.cores.clear();
  return computing;
}

ClusterSpec ClusterSpec::in_dtype(DType dtype) const {
  ClusterSpec cluster = *this;
  for (DeviceSpec& device : cluster.devices) device = device.in_dtype(dtype);
  return cluster;
}

const DeviceSpec& ClusterSpec::device(const DeviceName& device_name) const {
  const int index = index_of(device_name);
  LINGUA_CHECK(index >= 0, "no device '{}' in cluster '{}'", device_name, name);
  return devices[static_cast<std::size_t>(index)];
}

std::string ClusterSpec::names() const {
  constexpr std::size_t kMost = 16;
  std::string names;
  for (std::size_t d = 0; d < std::min(devices.size(), kMost); ++d)
    names += (d == 0 ? "" : " ") + devices[d].name;
  return names + (devices.size() > kMost ? " ..." : "");
}

int ClusterSpec::index_of(const DeviceName& device_name) const {
  const auto found = std::find_if(devices.begin(), devices.end(), [&](const DeviceSpec& device) {
    return device.name == device_name;
  });
  return found == devices.end() ? -1 : static_cast<int>(found - devices.begin());
}

LinkSpec ClusterSpec::link(const DeviceName& from, const DeviceName& to) const {
  if (from == to) return {std::numeric_limits<double>::infinity(), Seconds(0)};
  const auto found = links.find({from, to});
  return found == links.end() ? default_link : found->second;
}

}  // namespace lingua
