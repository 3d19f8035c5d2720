#include "runtime/schedule/schedule.h"

#include <algorithm>
#include <tuple>

#include "runtime/base/errors.h"

namespace lingua {

std::size_t next_step(const std::vector<ReadyStep>& ready) {
  LINGUA_CHECK(!ready.empty());
  const auto earlier = [](const ReadyStep& a, const ReadyStep& b) {
    return std::tuple(a.ready_since, a.request, a.step_index) <
           std::tuple(b.ready_since, b.request, b.step_index);
  };
  return static_cast<std::size_t>(std::min_element(ready.begin(), ready.end(), earlier) -
                                  ready.begin());
}

int admissions(int waiting, int in_flight, int limit) {
  return std::clamp(limit - in_flight, 0, waiting);
}

}  // namespace lingua
