#pragma once
// An executor that takes modelled time around another one, which gives the outputs.
//
// It is the one place that says what running a segment costs on a device (device/roofline.h): the simulator
// lets virtual time pass for it, a paced worker waits. Steps that fail cost nothing.
// Memory is not counted here: the engine keeps its ledger the same way in all worlds.

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "runtime/device/device.h"

namespace lingua {

class ChargedExecutor : public Executor {
 public:
  ChargedExecutor(DeviceSpec spec, std::unique_ptr<Executor> inner);

  void load(const Segment& segment, const std::string& program,
            const std::vector<Tensor>& weights) override;
  void unload(SegmentId segment) override;
  std::vector<SegmentResult> run(SegmentId segment, const std::vector<SegmentStep>& batch) override;
  void release(RequestId request) override { inner_->release(request); }
  void release(RequestId request, SegmentId segment) override { inner_->release(request, segment); }
  std::vector<Tensor> read_states(SegmentId segment, RequestId request, std::int64_t first,
                                  std::int64_t end) override {
    return inner_->read_states(segment, request, first, end);
  }
  void write_states(SegmentId segment, RequestId request, std::int64_t capacity, std::int64_t first,
                    const std::vector<Tensor>& states) override {
    inner_->write_states(segment, request, capacity, first, states);
  }
  void compute_with(const Computing& computing) override { inner_->compute_with(computing); }
  // Costs what a segment of this work does; memory costs nothing.
  Work exert(const Exertion& exertion) override;

 protected:
  // The device has computed for so long, by the model. Called after the outputs are there.
  virtual void spend(Seconds time) = 0;

 private:
  const DeviceSpec spec_;
  const std::unique_ptr<Executor> inner_;
  std::unordered_map<SegmentId, Segment> segments_;
  std::vector<Step> steps_;  // that are charged for
};

}  // namespace lingua
