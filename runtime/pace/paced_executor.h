#pragma once
// An executor that takes as long as a modelled device: it runs the work, then sleeps until the device would
// have done it. Where the device's speed changes over time, work that is under way goes on at the new speed.
//
// Work that takes longer here than there is counted and not made up for.

#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "runtime/device/charged_executor.h"
#include "runtime/pace/delays.h"
#include "runtime/pace/supply_clock.h"

namespace lingua {

class PacedExecutor final : public ChargedExecutor {
 public:
  // REQUIRES: the counter, of runs of segments, outlives it.
  PacedExecutor(const DeviceSpec& spec, std::unique_ptr<Executor> inner, DelayCounter& counter,
                SupplyClock supply = {})
      : ChargedExecutor(spec, std::move(inner)),
        name_(spec.name),
        counter_(counter),
        supply_(std::move(supply)) {}

  std::vector<SegmentResult> run(SegmentId segment, const std::vector<SegmentStep>& batch) override;
  Work exert(const Exertion& exertion) override;

 private:
  void spend(Seconds time) override;

  const DeviceName name_;
  DelayCounter& counter_;
  const SupplyClock supply_;
  std::chrono::steady_clock::time_point begun_;
};

}  // namespace lingua
