#pragma once
// What work costs on a device and a transfer costs on a link: the one place of these formulas.
//
// Planners estimate with them and the simulator charges them, so that the two can differ only in
// how work overlaps and contends.
// Units: seconds, joules. Source: roofline, Williams, Waterman, Patterson, CACM 52(4), 2009.

#include <vector>

#include "runtime/device/exertion.h"
#include "runtime/device/spec.h"
#include "runtime/model/segment.h"

namespace lingua {

// What steps that run as one make of a segment. Its weights are read once; FLOPs, states and activations
// are those of each step.
Work work_of(const Segment& segment, const std::vector<Step>& batch);

// max(FLOPs / flops_per_s, bytes / memory_bytes_per_s) + overhead.
Seconds compute_time(const Work& work, const DeviceSpec& device);
// Of one step alone.
Seconds compute_time(const Segment& segment, const DeviceSpec& device, const Step& step);

// The time of moving bytes over a link: latency + bytes / bandwidth.
Seconds transfer_time(const LinkSpec& link, double bytes);

// What computing for so long draws, on top of what the idle device draws: power_w x busy.
double compute_energy(const DeviceSpec& device, Seconds busy);

// What the two radios of a link draw for these bytes, on top of what they draw idle:
// radio_power_w x bytes / bandwidth. Nothing from a device to itself. One half is the sender's, the
// other the receiver's.
double transfer_energy(const ClusterSpec& cluster, const LinkSpec& link, double bytes);

// For how many hours the charge that a battery holds gives so much power, on top of what the idle device draws.
// REQUIRES: the battery is known, watts > 0.
double battery_hours(const DeviceSpec& device, double watts);

}  // namespace lingua
