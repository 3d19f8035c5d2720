#pragma once
// What a device's work under one epoch took, held against what the plan expects of it: for the coordinator,
// which plans with it. Nothing is measured that is not work.
//
// A role without I/O. Where the deployment does not measure it keeps nothing and is never due.
// Units: seconds, bytes. Source of the expectation: device/roofline.h.

#include <cstddef>
#include <map>
#include <vector>

#include "runtime/device/device.h"
#include "runtime/model/segment.h"

namespace lingua {

class WorkMeter {
 public:
  explicit WorkMeter(const Prepare& prepare);

  // A segment ran for the steps of a batch.
  void ran(SegmentId segment, const std::vector<SegmentStep>& batch, Seconds took);
  // A message of another device came.
  void arrived(const Message& message);

  // There is something to report, and the last time is long enough ago.
  bool is_due(Seconds now) const;
  // Everything since the last one.
  WorkReport report(Seconds now, Epoch epoch, std::size_t queued, const Telemetry& telemetry);

 private:
  bool measures() const { return every_ > Seconds(0); }

  Seconds every_{0};
  DeviceSpec expected_;
  std::map<SegmentId, Segment> segments_;  // that run here
  WorkTime prompts_;
  WorkTime tokens_;
  std::map<DeviceName, LinkTime> links_;
  Seconds last_{0};
  std::vector<Step> steps_;
};

}  // namespace lingua
