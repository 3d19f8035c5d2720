#include "runtime/planner/study/robust.h"

#include <algorithm>
#include <numeric>

#include "runtime/base/errors.h"
#include "runtime/base/percentile.h"
#include "runtime/base/random.h"
#include "runtime/predict/estimate.h"

namespace lingua {
Variants perturbed(const ClusterSpec& cluster, double share, int count, std::uint64_t seed) {
  LINGUA_CHECK(share >= 0 && share < 1, "a share of {}", share);
  Rng rng(seed);
  const auto factor = [&] { return rng.uniform(1 - share, 1 + share); };
  Variants variants{share, std::vector<ClusterSpec>(static_cast<std::size_t>(count), cluster)};
  for (ClusterSpec& other : variants.clusters) {
    for (DeviceSpec& device : other.devices) {
      const double faster = factor();
      device.flops_per_s *= faster;
      device.memory_bytes_per_s *= faster;
    }
    for (auto& [ends, link] : other.links) link.bytes_per_s *= factor();
    other.default_link.bytes_per_s *= factor();
    other.shared_bytes_per_s *= factor();
  }
  return variants;
}

Percentiles percentiles_of(std::vector<double> values) {
  LINGUA_CHECK(!values.empty(), "no values");
  std::sort(values.begin(), values.end());
  const double sum = std::accumulate(values.begin(), values.end(), 0.0);
  return {percentile(values, 0.05), percentile(values, 0.5), percentile(values, 0.95),
          sum / static_cast<double>(values.size())};
}

PlanSpread spread_of(const Plan& plan, const PlanRequest& request, const Variants& variants) {
  std::vector<double> latency_s;
  std::vector<double> tokens_per_s;
  for (const ClusterSpec& cluster : variants.clusters) {
    const Estimate there = estimate(plan, *request.segmentation, cluster, request.workload);
    latency_s.push_back(there.latency_s);
    tokens_per_s.push_back(there.tokens_per_s);
  }
  return {variants.share, static_cast<int>(latency_s.size()), percentiles_of(latency_s),
          percentiles_of(tokens_per_s)};
}

}  // namespace lingua
