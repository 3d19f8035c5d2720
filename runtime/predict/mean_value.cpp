#include "runtime/predict/mean_value.h"

#include <algorithm>
#include <cmath>

namespace lingua {

double predicted_request_s(const PlanCosts& costs, const std::vector<Run>& chain) {
  // A request in service has half of its time left if times are constant, all of it if they are exponential.
  constexpr double kResidual = 0.7;
  constexpr int kIterations = 20;
  const double in_flight = costs.request().workload.overlap();
  const double others = (in_flight - 1) / in_flight;
  const double latency_s = costs.latency(chain);
  std::vector<double> busy_s;
  for (const Run& run : chain) busy_s.push_back(costs.compute(run));
  std::vector<double> queue(chain.size(), in_flight / static_cast<double>(chain.size()));
  double request_s = 0;
  for (int i = 0; i < kIterations; ++i) {
    double waited_s = 0;
    for (std::size_t s = 0; s < chain.size(); ++s) {
      const double wait_s = busy_s[s] * kResidual * queue[s] * others;
      waited_s += wait_s;
      queue[s] = busy_s[s] + wait_s;
    }
    request_s = (latency_s + waited_s) / in_flight;
    for (double& length : queue) length /= request_s;  // Little's law
  }
  return std::max(request_s, costs.bottleneck(chain));
}

}  // namespace lingua
