#pragma once
// Plans where speeds are not quite what was measured: clusters with every speed a little different, and
// what becomes of a plan on them.
//
// A device's FLOP/s and memory bandwidth share one factor; each link of its own, the default link and
// the shared medium have one each. Factors are even between 1 - share and 1 + share.
// Units: seconds, tokens/s. Determinism: draws are those of the seed.

#include <cstdint>
#include <vector>

#include "runtime/planner/planner.h"

namespace lingua {

// REQUIRES: 0 <= share < 1.
Variants perturbed(const ClusterSpec& cluster, double share, int count, std::uint64_t seed);

struct Percentiles {
  double p5 = 0;
  double p50 = 0;
  double p95 = 0;
  double mean = 0;
};
// As numpy's percentile draws the line. REQUIRES: values is not empty.
Percentiles percentiles_of(std::vector<double> values);

// What a plan does on such clusters.
struct PlanSpread {
  double share = 0;
  int draws = 0;
  Percentiles latency_s;     // of one request alone, in the mean
  Percentiles tokens_per_s;  // of all requests
};

// By the estimate.
PlanSpread spread_of(const Plan& plan, const PlanRequest& request, const Variants& variants);

}  // namespace lingua
