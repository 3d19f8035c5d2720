#pragma once
// Where the time of a token goes, for one request alone: computing, the latency of links, bytes on them.
//
// A mean over the tokens after the first. A step's way is its critical path: where a stage waits for several
// messages, the one that comes last. Units: seconds.

#include "runtime/plan/plan.h"

namespace lingua {

struct TokenTime {
  double compute_s = 0;
  double latency_s = 0;  // of all hops
  double bytes_s = 0;
  double hops = 0;  // messages on the way, the answer to the header included

  double sum_s() const { return compute_s + latency_s + bytes_s; }
};

// All zero where no token follows the first. REQUIRES: stages and transfers are set and consistent.
TokenTime token_time(const Plan& plan, const Segmentation& segmentation, const ClusterSpec& cluster,
                     const Workload& workload);

}  // namespace lingua
