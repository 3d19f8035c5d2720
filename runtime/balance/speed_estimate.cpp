#include "runtime/balance/speed_estimate.h"

#include <algorithm>
#include <cmath>

namespace lingua {
namespace {

// Half of the least change that is looked for, and how much evidence it takes, in standard deviations. At these
// a false alarm comes once in a million samples (Siegmund's approximation).
constexpr double kSlack = 0.5;
constexpr double kAlarm = 12;
constexpr double kMostOff = 5;             // that one sample counts: two outliers are no change
constexpr std::size_t kFewestSamples = 3;  // that a mean is of
constexpr double kLeastDeviation = 0.05;
constexpr double kFirstDeviation = 0.1;
constexpr double kMemory = 30;             // samples that the deviation is of
constexpr double kMostDeviation = 0.3;     // of one sample, as far as it counts for the deviation
constexpr std::int64_t kMostSamples = 40;  // that the mean is of

}  // namespace

SpeedEstimate::SpeedEstimate() : variance_(kFirstDeviation * kFirstDeviation) {}

double SpeedEstimate::slowness() const { return std::exp(mean_); }

double SpeedEstimate::deviation() const { return std::max(kLeastDeviation, std::sqrt(variance_)); }

bool SpeedEstimate::add(Side* side, double off, double log) {
  side->sum = std::max(0.0, side->sum + std::min(off, kMostOff) - kSlack);
  if (side->sum == 0) {
    *side = {};
    return false;
  }
  side->logs.push_back(log);
  return side->sum > kAlarm;
}

// Where the change began is where the samples since then are most unlikely, given the old mean. False: too few
// are there yet to say how large it is.
bool SpeedEstimate::take_mean_of(const Side& side) {
  double sum = 0;
  double most = -1;
  double mean = mean_;
  std::size_t since = 0;
  for (std::size_t count = 1; count <= side.logs.size(); ++count) {
    sum += side.logs[side.logs.size() - count] - mean_;
    const auto samples = static_cast<double>(count);
    if (sum * sum / samples < most) continue;
    most = sum * sum / samples;
    mean = mean_ + sum / samples;
    since = count;
  }
  if (since < kFewestSamples) return false;
  mean_ = mean;
  samples_ = static_cast<std::int64_t>(since);
  return true;
}

bool SpeedEstimate::take(double ratio) {
  const double log = std::log(ratio);
  const double off = (log - mean_) / deviation();
  const bool is_slower = add(&slower_, off, log);
  const bool is_faster = add(&faster_, -off, log);
  if ((is_slower || is_faster) && take_mean_of(is_slower ? slower_ : faster_)) {
    slower_ = faster_ = {};
    return true;
  }
  const double residual = std::min(std::abs(log - mean_), kMostDeviation);
  variance_ += (residual * residual - variance_) / kMemory;
  // A mean that was measured becomes better with further samples; what was expected stays.
  if (samples_ > 0 && samples_ < kMostSamples && std::abs(off) < 3) {
    ++samples_;
    mean_ += (log - mean_) / static_cast<double>(samples_);
  }
  return false;
}

}  // namespace lingua
