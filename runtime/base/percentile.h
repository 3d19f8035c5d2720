#pragma once
// Percentiles, between the two nearest values as numpy's percentile draws the line.

#include <algorithm>
#include <cmath>
#include <vector>

namespace lingua {

// REQUIRES: sorted ascends and is not empty; 0 <= share <= 1.
inline double percentile(const std::vector<double>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], place - static_cast<double>(below));
}

}  // namespace lingua
