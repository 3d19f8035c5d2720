#include "runtime/device/charged_executor.h"

#include <utility>

#include "runtime/base/errors.h"
#include "runtime/device/roofline.h"

namespace lingua {

ChargedExecutor::ChargedExecutor(DeviceSpec spec, std::unique_ptr<Executor> inner)
    : spec_(std::move(spec)), inner_(std::move(inner)) {
  LINGUA_CHECK(inner_ != nullptr, "an executor to charge for is missing");
}

void ChargedExecutor::load(const Segment& segment, const std::string& program,
                           const std::vector<Tensor>& weights) {
  inner_->load(segment, program, weights);
  segments_[segment.id] = segment;
}

void ChargedExecutor::unload(SegmentId id) {
  inner_->unload(id);
  segments_.erase(id);
}

std::vector<SegmentResult> ChargedExecutor::run(SegmentId id,
                                                const std::vector<SegmentStep>& batch) {
  const auto found = segments_.find(id);
  LINGUA_CHECK(found != segments_.end(), "segment {} is not loaded", id);
  std::vector<SegmentResult> results = inner_->run(id, batch);
  steps_.clear();
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (results[i].error.empty()) steps_.push_back(batch[i].context.step);
  }
  if (!steps_.empty()) spend(compute_time(work_of(found->second, steps_), spec_));
  return results;
}

Work ChargedExecutor::exert(const Exertion& exertion) {
  const Work done = inner_->exert(exertion);
  if (exertion.kind == ExertionKind::kMemory) return done;
  const double segments =
      exertion.kind == ExertionKind::kSegments ? static_cast<double>(exertion.repeats) : 1;
  spend(segments * compute_time(done, spec_.in_dtype(exertion.dtype)));
  return done;
}

}  // namespace lingua
