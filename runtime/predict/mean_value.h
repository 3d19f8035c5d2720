#pragma once
// How long requests that are in flight together take by a formula, in microseconds where playing them
// (pipeline_model.h) takes milliseconds: to tell which chains are worth a play.
//
// Approximate mean value analysis of a closed network of queues: each stage is a queue, and between stages a
// request waits for nobody; all requests are like the mean one. Near good chains it is off by a few percent
// besides a factor that a workload has in common.
// Source: Bard, Some extensions to multiclass queueing network analysis, 1979; Schweitzer, Approximate
// analysis of multiclass closed networks of queues, 1979.
// Units: seconds. Determinism: no randomness.

#include "runtime/predict/plan_costs.h"

namespace lingua {

// Seconds per request; no less than the busiest resource is busy, and of one request alone its latency.
// REQUIRES: chain is not empty.
double predicted_request_s(const PlanCosts& costs, const std::vector<Run>& chain);

// How far off predictions were, learnt from plays, the last ones most.
class PredictionRecord {
 public:
  void add(double played_s, double predicted_s);
  // Most likely it would be played in more than `most_s`. Never before some plays are known.
  bool excludes(double predicted_s, double most_s) const;

 private:
  double plays_ = 0;
  double mean_ = 0;  // of the logarithm of played / predicted
  double variance_ = 0;
};

}  // namespace lingua
