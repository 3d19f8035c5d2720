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

std::vector<SegmentResult> SimExecutor::run(SegmentId id, const std::vector<SegmentStep>& batch) {
  const auto found = segments_.find(id);
  LINGUA_CHECK(found != segments_.end(), "segment {} is not loaded", id);
  std::vector<SegmentResult> results = inner_->run(id, batch);
  steps_.clear();
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (results[i].error.empty()) steps_.push_back(batch[i].context.step);
  }
  if (!steps_.empty())
    device_.compute(compute_time(work_of(found->second, steps_), device_.spec()));
  return results;
}

}  // namespace lingua
