#include "runtime/pace/paced_executor.h"

#include <thread>

namespace lingua {

std::vector<SegmentResult> PacedExecutor::run(SegmentId segment,
                                              const std::vector<SegmentStep>& batch) {
  begun_ = std::chrono::steady_clock::now();
  return ChargedExecutor::run(segment, batch);
}

Work PacedExecutor::exert(const Exertion& exertion) {
  begun_ = std::chrono::steady_clock::now();
  return ChargedExecutor::exert(exertion);
}

void PacedExecutor::spend(Seconds time) {
  const Seconds takes = supply_.time_of_work(name_, begun_, time);
  counter_.note(takes, std::chrono::steady_clock::now() - begun_);
  std::this_thread::sleep_until(
      begun_ + std::chrono::duration_cast<std::chrono::steady_clock::duration>(takes));
}

}  // namespace lingua
