#pragma once
// What a run achieved, computed from its events alone, the same way in all three worlds.
//
// Units: seconds, bytes, tokens per second, joules.
// Definitions: ttft, from the header's receipt of a prompt to its first token; tpot, the mean time
// per further token; tokens_per_s, all tokens over the time from the first request's start to the
// last one's end; busy share, the union of a device's compute rows over the same time; idle by link, the
// rest of that time in which a transfer or result to the device is under way; idle for memory, the rest
// of that in which the next request waits for room; idle without input, what then remains; a batch, the
// compute rows of a device that have segment, start and end in common; queueing, from a request's arrival
// at its client to its start at the header.
// Energy, with the powers that the cluster states: a device's is its power times its busy time and
// half of what each of its links draws; a link's that of its bytes at its bandwidth
// (runtime/device/roofline.h). It is on top of what idle devices and radios draw; what has no stated
// power, and links of the coordinator, count as nothing. Nothing is known without any power.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/device/spec.h"
#include "runtime/events/event_log.h"

namespace lingua {

// Percentiles, between the two nearest values as numpy's percentile draws the line.
struct Spread {
  double p50 = 0;
  double p90 = 0;
  double p95 = 0;
  double p99 = 0;
};
struct RequestMetrics {
  RequestId request = 0;
  Seconds start{0};
  Seconds end{0};
  double ttft_s = 0;
  double tpot_s = 0;  // 0 for fewer than two tokens
  std::int64_t tokens = 0;
  std::optional<double> queueing_s;  // known where the log has the request's arrival
};
struct DeviceMetrics {
  DeviceName device;
  double busy_s = 0;
  double busy_share = 0;
  double computed_segments = 0;
  double mean_batch = 0;  // steps that it computed as one; 0 where it computed none
  double idle_link_s = 0;
  double idle_memory_s = 0;
  double idle_no_input_s = 0;
  std::optional<double> energy_j;
  // For how long its charge gives what it draws in this run, in hours; unknown without a battery or a draw.
  std::optional<double> battery_h;
};
struct LinkMetrics {
  DeviceName from;
  DeviceName to;
  double bytes = 0;
  double result_bytes = 0;  // of them, those of results: tokens on their way to the header
  std::int64_t messages = 0;
  double mean_s = 0;  // per message
  std::optional<double> energy_j;
};
// How well requests met a service-level objective. The time to the first token counts from the arrival
// at the client where that is known, else from the start at the header. A request without a token has
// not met it, nor has one that was not answered; one with a single token has no further ones to be late.
struct Slo {
  Seconds ttft{0};
  Seconds tpot{0};
};
struct Goodput {
  Slo slo;
  std::int64_t met = 0;
  double share = 0;           // of the requests that arrived; 0 without any
  double requests_per_s = 0;  // that met it, over the makespan
};
inline constexpr double kShortestRun_s = 1e-12;  // a shorter one has no rates
struct Metrics {
  double makespan_s = 0;  // first request's start to last one's end
  double tokens_per_s = 0;
  double ttft_s = 0;                      // mean over requests
  double tpot_s = 0;                      // mean over requests
  Spread latency;                         // over requests, from start to end
  Spread ttft;                            // over requests with a token
  Spread tpot;                            // over requests with more than one
  std::optional<Spread> queueing;         // over requests whose arrival is known, if there are any
  std::int64_t arrived = 0;               // requests, those included that were never answered
  std::optional<double> bytes_per_token;  // of all links; unknown without tokens
  std::optional<Goodput> goodput;         // where somebody asked for it: see goodput_of
  std::optional<double> energy_j;
  std::optional<double> energy_per_token_j;  // also unknown without tokens
  std::vector<RequestMetrics> requests;
  std::vector<DeviceMetrics> devices;
  std::vector<LinkMetrics> links;

  double tokens() const;  // of all requests
};

// Without energy. See run_meter.h, which measures a run without its log.
Metrics compute_metrics(const EventLog& log);

// The same with energy, where the cluster states a power.
Metrics with_energy(Metrics metrics, const ClusterSpec& cluster);

Goodput goodput_of(const Metrics& metrics, const Slo& slo);

// "500 ms,50 ms": the most to the first token, and the most to each further one in the mean.
// Errors: UsageError that names the text.
Slo parse_slo(std::string_view text);

}  // namespace lingua
