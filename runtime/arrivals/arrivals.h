#pragma once
// When requests come and how large they are: values, the same in all three worlds.
//
// Units: seconds since the trace began, tokens.
// Threads: values without shared state.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runtime/base/units.h"

namespace lingua {

// The most that a trace says of one request: more is taken for a mistake, not for work.
inline constexpr std::int64_t kMostTraceTokens = 100'000'000;
inline constexpr double kMostTraceSeconds = 1e9;

struct Arrival {
  Seconds at{0};
  std::int64_t prompt_tokens = 0;  // at least 1
  std::int64_t output_tokens = 0;  // at least 1
  bool operator==(const Arrival&) const = default;
};

// Order: arrivals ascend by time; those of one moment come in the order in which they stand.
struct RequestTrace {
  std::string name;    // for people
  std::string source;  // a file, or the specification and seed that made it
  std::vector<Arrival> arrivals;
  // Of a closed loop: so many clients, each of which submits the next request when its last one is
  // answered; all times are 0. 0: requests come at their times, whatever happened to those before.
  std::int64_t clients = 0;
};

// The first `most` requests of a trace, that come `rate` times as fast: at 2 an hour of them takes half
// an hour. REQUIRES: rate > 0.
RequestTrace scaled(RequestTrace trace, std::size_t most, double rate);

struct LengthSummary {
  double mean = 0;
  double p50 = 0;  // percentiles as numpy draws them
  double p99 = 0;
  std::int64_t most = 0;
};
struct TraceSummary {
  std::size_t requests = 0;
  Seconds first{0};
  Seconds span{0};  // from the first to the last
  // Requests after the first over the span; unknown when all come at once.
  std::optional<double> rate_per_s;
  // The standard deviation of the times between requests over their mean: 1 for a Poisson process, more
  // for bursts. Unknown as the rate is.
  std::optional<double> gap_variation;
  LengthSummary prompt_tokens;
  LengthSummary output_tokens;
};
// REQUIRES: the trace has a request.
TraceSummary summarise(const RequestTrace& trace);

}  // namespace lingua
