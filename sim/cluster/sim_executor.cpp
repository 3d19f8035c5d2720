#include "sim/cluster/sim_executor.h"

#include <utility>

#include "runtime/base/errors.h"
#include "runtime/device/roofline.h"
#include "sim/cluster/sim_device.h"

namespace lingua {

SimExecutor::SimExecutor(SimDevice& device, std::unique_ptr<Executor> inner)
    : device_(device), inner_(std::move(inner)) {
  LINGUA_CHECK(inner_ != nullptr, "make_executor gave none");
}

void SimExecutor::load(const Segment& segment, const std::string& program,
                       const std::vector<Tensor>& weights) {
  inner_->load(segment, program, weights);
  segments_[segment.id] = segment;
}

void SimExecutor::unload(SegmentId id) {
  inner_->unload(id);
  segments_.erase(id);
}

std::vector<Tensor> SimExecutor::run(SegmentId id, const StepContext& context,
                                     const std::vector<Tensor>& inputs) {
  const auto found = segments_.find(id);
  LINGUA_CHECK(found != segments_.end(), "segment {} is not loaded", id);
  std::vector<Tensor> outputs = inner_->run(id, context, inputs);
  device_.compute(compute_time(found->second, device_.spec(), context.step));
  return outputs;
}

}  // namespace lingua
