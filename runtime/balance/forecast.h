#pragma once
// What a move would cost and what the rest of a run would take: predicted by playing what is left of it
// (predict/estimate.h) on the cluster as it is at present.
//
// Requests that run are taken to be alike, as long as their mean, and so are those that wait; the latter follow
// the former. Units: seconds, bytes, tokens.

#include <cstdint>
#include <vector>

#include "runtime/plan/plan_request.h"
#include "runtime/plan/weight_sources.h"

namespace lingua {

// A request that has not ended.
struct RequestLeft {
  std::int64_t prompt_tokens = 0;
  std::int64_t made = 0;
  std::int64_t max_tokens = 0;
  bool runs = false;
};

class Forecast {
 public:
  // REQUIRES: all outlive it. `request`: segmentation and workload; its cluster is not looked at.
  // `move_bytes_per_s`: that each sends at most of weights; 0: no bound.
  Forecast(const PlanRequest& request, const ClusterSpec& present,
           const std::vector<RequestLeft>& requests, double move_bytes_per_s = 0);

  int running() const { return running_.requests; }
  // Until the last of the requests ends, under a plan.
  double rest_s(const Plan& plan) const;
  // The mean time between tokens of the requests that run; 0 where none does.
  double token_s(const Plan& plan) const;
  // Until those that run have their next token, when a plan begins with nothing but their tokens.
  double rebuild_s(const Plan& plan) const;
  // The bytes of weights that devices lack, and how long it takes to send them from the coordinator and from devices
  // that run the plan before (plan/weight_sources.h).
  double missing_bytes(const Plan& before, const Plan& after) const;
  double sending_s(const Plan& before, const Plan& after) const;
  // A message to the farthest device of a plan, and its answer.
  double round_trip_s(const Plan& plan) const;
  // Each device has room for the weights of both plans and what the requests take.
  bool fits_beside(const Plan& before, const Plan& after) const;

 private:
  // Requests that are taken to be alike.
  struct Group {
    int requests = 0;
    std::int64_t context = 0;  // prompt and tokens so far
    std::int64_t left = 0;     // tokens
  };
  static Group group_of(const std::vector<RequestLeft>& requests, bool runs);
  double play_s(const Plan& plan, int requests, std::int64_t prompt, std::int64_t tokens) const;
  std::vector<WeightNeed> lacking(const Plan& before, const Plan& after) const;

  const PlanRequest& request_;
  const ClusterSpec& present_;
  const double move_bytes_per_s_;
  Group running_;
  Group waiting_;
};

}  // namespace lingua
