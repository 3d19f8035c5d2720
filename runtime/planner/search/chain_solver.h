#pragma once
// What a solver of chains is asked and what it answers: the chain of the lowest price within limits.

#include <functional>
#include <optional>
#include <vector>

#include "runtime/predict/plan_costs.h"

namespace lingua {

// What a solver may use and must beat.
struct ChainLimits {
  double busiest = kNoLimit;  // of each device and link
  double cutoff = kNoLimit;   // only chains of a lower value count
  bool at_leisure = false;    // the request's time limit does not end the search
  double until_s = kNoLimit;  // of the request's time; this does
};

// The value of a chain here is that of its price: whatever is not bound by its busiest device or link.
struct ChainResult {
  std::optional<std::vector<Run>> runs;
  bool exact = true;  // the best within the limits, or proof that there is none
  double bound = 0;   // when not exact: no chain within the limits has a lower value
};
using ChainSolver = std::function<ChainResult(const ChainLimits&)>;

}  // namespace lingua
