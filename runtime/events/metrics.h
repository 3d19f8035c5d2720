#pragma once
// What a run achieved, computed from its event log alone, the same way in all three worlds.
//
// Units: seconds, bytes, tokens per second, joules.
// Definitions: ttft, from the header's receipt of a prompt to its first token; tpot, the mean time
// per further token; tokens_per_s, all tokens over the time from the first request's start to the
// last one's end; busy share, the union of a device's compute rows over the same time.
// Energy, with the powers that the cluster states: a device's is its power times its busy time and
// half of what each of its links draws; a link's that of its bytes at its bandwidth
// (runtime/device/roofline.h). It is on top of what idle devices and radios draw; what has no stated
// power, and links of the coordinator, count as nothing. Nothing is known without any power.

#include <optional>
#include <string>
#include <vector>

#include "runtime/device/spec.h"
#include "runtime/events/event_log.h"

namespace lingua {

// Of values that are sorted: p50 and p95 between the two nearest, as numpy's percentile draws the line.
struct Spread {
  double p50 = 0;
  double p95 = 0;
};
struct RequestMetrics {
  RequestId request = 0;
  Seconds start{0};
  Seconds end{0};
  double ttft_s = 0;
  double tpot_s = 0;  // 0 for fewer than two tokens
  std::int64_t tokens = 0;
};
struct DeviceMetrics {
  DeviceName device;
  double busy_s = 0;
  double busy_share = 0;
  double computed_segments = 0;
  std::optional<double> energy_j;
};
struct LinkMetrics {
  DeviceName from;
  DeviceName to;
  double bytes = 0;
  std::int64_t messages = 0;
  double mean_s = 0;  // per message
  std::optional<double> energy_j;
};
struct Metrics {
  double makespan_s = 0;  // first request's start to last one's end
  double tokens_per_s = 0;
  double ttft_s = 0;  // mean over requests
  double tpot_s = 0;  // mean over requests
  Spread latency;     // over requests, from start to end
  Spread ttft;        // over requests with a token
  Spread tpot;        // over requests with more than one
  std::optional<double> energy_j;
  std::optional<double> energy_per_token_j;  // also unknown without tokens
  std::vector<RequestMetrics> requests;
  std::vector<DeviceMetrics> devices;
  std::vector<LinkMetrics> links;
};

Metrics compute_metrics(const EventLog& log);
// With energy.
Metrics compute_metrics(const EventLog& log, const ClusterSpec& cluster);

}  // namespace lingua
