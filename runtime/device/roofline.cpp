#include "runtime/device/roofline.h"

#include <algorithm>

namespace lingua {

Work work_of(const Segment& segment, const std::vector<Step>& batch) {
  Work work;
  for (const Step& step : batch) {
    const bool first = &step == &batch.front();
    work.flops += segment.flops.at(step);
    work.bytes += segment.bytes_moved.at(step) - (first ? 0 : segment.weights_read);
  }
  return work;
}

Seconds compute_time(const Work& work, const DeviceSpec& device) {
  return Seconds(
             std::max(work.flops / device.flops_per_s, work.bytes / device.memory_bytes_per_s)) +
         device.overhead;
}

Seconds compute_time(const Segment& segment, const DeviceSpec& device, const Step& step) {
  return compute_time({segment.flops.at(step), segment.bytes_moved.at(step)}, device);
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

double battery_hours(const DeviceSpec& device, double watts) {
  constexpr double kSecondsPerHour = 3600;
  return device.charge * device.battery_j / watts / kSecondsPerHour;
}

}  // namespace lingua
