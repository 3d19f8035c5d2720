#pragma once
// An executor that charges modelled time and memory around another one, which gives the outputs.

#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "runtime/device/device.h"

namespace lingua {

class SimDevice;

// Errors: WorldError when weights or states need more memory than the device has.
class SimExecutor final : public Executor {
 public:
  SimExecutor(SimDevice& device, std::unique_ptr<Executor> inner);

  void load(const Segment& segment, const std::string& program,
            const std::vector<Tensor>& weights) override;
  void unload(SegmentId segment) override;
  std::vector<Tensor> run(SegmentId segment, const StepContext& context,
                          const std::vector<Tensor>& inputs) override;
  void release(RequestId request) override;
  void set_threads(int threads) override { inner_->set_threads(threads); }

  // Weights (one that several segments share counts once) and states.
  double memory_in_use_bytes() const { return weights_bytes_ + states_bytes_; }

 private:
  void require_memory(double bytes, const std::string& what) const;
  void forget(SegmentId id);
  void make_states(const Segment& segment, const StepContext& context);

  SimDevice& device_;
  std::unique_ptr<Executor> inner_;
  std::unordered_map<SegmentId, Segment> segments_;
  std::map<std::string, int> users_of_weight_;
  std::unordered_map<RequestId, std::map<SegmentId, double>> states_;  // bytes
  double weights_bytes_ = 0;
  double states_bytes_ = 0;
};

}  // namespace lingua
