#pragma once
// An executor without states, for tests in which none are looked at.

#include <vector>

#include "runtime/device/device.h"

namespace lingua::testing {

class StatelessExecutor : public Executor {
 public:
  void release(RequestId) override {}
  void release(RequestId, SegmentId) override {}
  std::vector<Tensor> read_states(SegmentId, RequestId, std::int64_t, std::int64_t) override {
    return {};
  }
  void write_states(SegmentId, RequestId, std::int64_t, std::int64_t,
                    const std::vector<Tensor>&) override {}
  void compute_with(const Computing&) override {}
  Work exert(const Exertion& exertion) override { return work_of(exertion); }
};

}  // namespace lingua::testing
