#pragma once
// An executor that takes as long as a modelled device: it runs the work, then sleeps until the device would
// have done it.
//
// Work that takes longer here than there is counted and not made up for.

#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "runtime/device/charged_executor.h"
#include "runtime/pace/delays.h"

namespace lingua {

class PacedExecutor final : public ChargedExecutor {
 public:
  // REQUIRES: the counter, of runs of segments, outlives it.
  PacedExecutor(DeviceSpec spec, std::unique_ptr<Executor> inner, DelayCounter& counter)
      : ChargedExecutor(std::move(spec), std::move(inner)), counter_(counter) {}

  std::vector<SegmentResult> run(SegmentId segment, const std::vector<SegmentStep>& batch) override;

 private:
  void spend(Seconds time) override;

  DelayCounter& counter_;
  std::chrono::steady_clock::time_point begun_;
};

}  // namespace lingua
