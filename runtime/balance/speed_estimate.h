#pragma once
// How slow something is at present, from measurements with noise: a mean that holds until they contradict it.
//
// Each sample is measured over expected time, as a logarithm. A two-sided cumulative sum (Page, Biometrika 41,
// 1954) of what samples are off the mean, in standard deviations, tells when it has changed; then the mean is that
// of the samples since the most likely moment of the change. So noise and single outliers change nothing, and a change counts as soon
// as it is certain. The first mean is 1: what the plan was made with.
// Pure; deterministic.

#include <cstdint>
#include <vector>

namespace lingua {

class SpeedEstimate {
 public:
  SpeedEstimate();
  // REQUIRES: ratio > 0 and finite. True: the mean has changed.
  bool take(double ratio);

  // Present over expected time: 2 is half as fast.
  double slowness() const;
  // Of a single sample, as a share.
  double deviation() const;
  // Samples that the mean is of; 0 while it is what was expected.
  std::int64_t samples() const { return samples_; }

 private:
  // A side of the cumulative sum: slower or faster.
  struct Side {
    double sum = 0;
    std::vector<double> logs;  // the samples since it was 0
  };
  static bool add(Side* side, double off, double log);
  bool take_mean_of(const Side& side);

  double mean_ = 0;  // of logarithms
  std::int64_t samples_ = 0;
  double variance_;
  Side slower_;
  Side faster_;
};

}  // namespace lingua
