#pragma once
// An executor that charges modelled time around another one, which gives the outputs.
//
// Memory is not counted here: the engine keeps its ledger the same way in all worlds.

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "runtime/device/device.h"

namespace lingua {

class SimDevice;

class SimExecutor final : public Executor {
 public:
  SimExecutor(SimDevice& device, std::unique_ptr<Executor> inner);

  void load(const Segment& segment, const std::string& program,
            const std::vector<Tensor>& weights) override;
  void unload(SegmentId segment) override;
  std::vector<SegmentResult> run(SegmentId segment, const std::vector<SegmentStep>& batch) override;
  void release(RequestId request) override { inner_->release(request); }
  void set_threads(int threads) override { inner_->set_threads(threads); }

 private:
  SimDevice& device_;
  std::unique_ptr<Executor> inner_;
  std::unordered_map<SegmentId, Segment> segments_;
  std::vector<Step> steps_;  // that are charged for
};

}  // namespace lingua
