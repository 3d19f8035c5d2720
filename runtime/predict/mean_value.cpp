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

void PredictionRecord::add(double played_s, double predicted_s) {
  constexpr double kLeastWeight = 0.02;
  const double weight = std::max(kLeastWeight, 1 / ++plays_);
  const double off = std::log(played_s / predicted_s) - mean_;
  mean_ += weight * off;
  variance_ = (1 - weight) * (variance_ + weight * off * off);
}

bool PredictionRecord::excludes(double predicted_s, double most_s) const {
  constexpr double kEnough = 20;
  constexpr double kDeviations = 2;
  return plays_ >= kEnough &&
         std::log(predicted_s / most_s) + mean_ > kDeviations * std::sqrt(variance_);
}

}  // namespace lingua
