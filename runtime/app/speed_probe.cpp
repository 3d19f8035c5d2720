#include "runtime/app/speed_probe.h"

#include <chrono>

#include "runtime/engine/exercise.h"

namespace lingua {

DeviceSpeed measure_speed(Executor& executor) {
  constexpr Seconds kEach{0.2};
  const auto now = [] { return Seconds(std::chrono::steady_clock::now().time_since_epoch()); };
  const auto rate = [&](ExertionKind kind) {
    const Exercise order{0, kind, DType::kFloat32, {}, kEach};
    return median(rates(order, exercise(executor, now, order)));
  };
  const DeviceSpeed speed{rate(ExertionKind::kProducts), rate(ExertionKind::kWeights)};
  executor.exert({ExertionKind::kSegments, DType::kFloat32, 1});  // gives the memory back
  return speed;
}

}  // namespace lingua
