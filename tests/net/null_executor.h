#pragma once
// For tests in which no segment runs.

#include "runtime/base/errors.h"
#include "tests/support/stateless_executor.h"

namespace lingua {

class NullExecutor : public testing::StatelessExecutor {
 public:
  void load(const Segment&, const std::string&, const std::vector<Tensor>&) override {}
  void unload(SegmentId) override {}
  std::vector<SegmentResult> run(SegmentId, const std::vector<SegmentStep>&) override {
    LINGUA_CHECK(false, "nothing runs in this test");
    return {};
  }
};

inline DeviceSpec spec_of(const DeviceName& name) { return {name, 1e9, 1e9, 1e9, 1, Seconds(0)}; }

}  // namespace lingua
