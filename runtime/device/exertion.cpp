#include "runtime/device/exertion.h"

#include "runtime/base/errors.h"

namespace lingua {

Work work_of(const Exertion& exertion) {
  const auto repeats = static_cast<double>(exertion.repeats);
  const auto weight_bytes = static_cast<double>(dtype_bytes(exertion.dtype));
  switch (exertion.kind) {
    case ExertionKind::kProducts: {
      constexpr double kElements = static_cast<double>(kProductWidth * kProductHeight);
      return {repeats * 2 * kElements * kProductRows, repeats * kElements * weight_bytes};
    }
    case ExertionKind::kWeights: {
      constexpr double kElements = static_cast<double>(kReadWidth * kReadHeight);
      return {repeats * 2 * kElements, repeats * kElements * weight_bytes};
    }
    case ExertionKind::kSegments: return {};
    case ExertionKind::kMemory: return {0, repeats * static_cast<double>(kMemoryBlock)};
  }
  LINGUA_CHECK(false, "no such exertion");
}

}  // namespace lingua
