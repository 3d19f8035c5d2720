#pragma once
// An executor whose time passes in the simulator.

#include <memory>
#include <utility>

#include "runtime/device/charged_executor.h"
#include "sim/cluster/sim_device.h"

namespace lingua {

class SimExecutor final : public ChargedExecutor {
 public:
  SimExecutor(SimDevice& device, std::unique_ptr<Executor> inner)
      : ChargedExecutor(device.spec(), std::move(inner)), device_(device) {}

 private:
  void spend(Seconds time) override { device_.compute(time); }

  SimDevice& device_;
};

}  // namespace lingua
