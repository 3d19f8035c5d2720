#include "runtime/device/roofline.h"

#include <algorithm>

namespace lingua {

Seconds compute_time(const Segment& segment, const DeviceSpec& device, const Step& step) {
  return Seconds(std::max(segment.flops.at(step) / device.flops_per_s,
                          segment.bytes_moved.at(step) / device.memory_bytes_per_s)) +
         device.overhead;
}

Seconds transfer_time(const LinkSpec& link, double bytes) {
  return link.latency + Seconds(bytes / link.bytes_per_s);
}

double compute_energy(const DeviceSpec& device, Seconds busy) {
  return device.power_w * busy.count();
}

double transfer_energy(const ClusterSpec& cluster, const LinkSpec& link, double bytes) {
  return cluster.radio_power_w * bytes / link.bytes_per_s;
}

}  // namespace lingua
