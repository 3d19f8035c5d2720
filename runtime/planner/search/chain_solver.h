#pragma once
// What a solver of chains is asked and what it answers: the chain of the lowest price within limits.

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <vector>

#include "runtime/predict/plan_costs.h"

namespace lingua {

inline constexpr std::int64_t kNoEffortLimit = std::numeric_limits<std::int64_t>::max();

// What a solver may use and must beat.
struct ChainLimits {
  double busiest = kNoLimit;             // of each device and link
  double cutoff = kNoLimit;              // only chains of a lower value count
  std::int64_t effort = kNoEffortLimit;  // of this call, as ChainResult counts it
  // The clock is an outer guard: the request's time limit, or a part of it, ends a search that its effort
  // should have ended.
  bool at_leisure = false;    // the request's time limit does not
  double until_s = kNoLimit;  // of the request's time; this does
};

// The value of a chain here is that of its price: whatever is not bound by its busiest device or link.
struct ChainResult {
  std::optional<std::vector<Run>> runs;
  bool exact = true;  // the best within the limits, or proof that there is none
  double bound = 0;   // when not exact: no chain within the limits has a lower value
  std::int64_t effort =
      0;  // that it took: labels made, or columns times nodes of an integer program
};
using ChainSolver = std::function<ChainResult(const ChainLimits&)>;

}  // namespace lingua
