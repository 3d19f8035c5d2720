#include "runtime/events/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"
#include "runtime/device/roofline.h"
#include "runtime/events/run_meter.h"

namespace lingua {
namespace {

bool states_power(const ClusterSpec& cluster) {
  return cluster.radio_power_w > 0 ||
         std::any_of(cluster.devices.begin(), cluster.devices.end(),
                     [](const DeviceSpec& device) { return device.power_w > 0; });
}

}  // namespace

double Metrics::tokens() const {
  double tokens = 0;
  for (const RequestMetrics& request : requests) tokens += static_cast<double>(request.tokens);
  return tokens;
}

Metrics compute_metrics(const EventLog& log) {
  RunMeter meter;
  for (const EventRow& row : log.rows()) meter.take(row);
  return meter.metrics();
}

Metrics with_energy(Metrics metrics, const ClusterSpec& cluster) {
  if (!states_power(cluster)) return metrics;
  const auto known = [&](const DeviceName& name) { return cluster.index_of(name) >= 0; };
  std::map<DeviceName, double> radios;
  double total = 0;
  for (LinkMetrics& link : metrics.links) {
    link.energy_j = known(link.from) && known(link.to)
                        ? transfer_energy(cluster, cluster.link(link.from, link.to), link.bytes)
                        : 0.0;
    radios[link.from] += *link.energy_j / 2;
    radios[link.to] += *link.energy_j / 2;
    total += *link.energy_j;
  }
  for (DeviceMetrics& device : metrics.devices) {
    const double computing =
        known(device.device) ? compute_energy(cluster.device(device.device), Seconds(device.busy_s))
                             : 0.0;
    device.energy_j = computing + radios[device.device];
    total += computing;
    if (!known(device.device) || metrics.makespan_s < kShortestRun_s || *device.energy_j == 0)
      continue;
    const DeviceSpec& spec = cluster.device(device.device);
    if (spec.battery_j > 0)
      device.battery_h = battery_hours(spec, *device.energy_j / metrics.makespan_s);
  }
  metrics.energy_j = total;
  if (const double tokens = metrics.tokens(); tokens > 0) {
    metrics.energy_per_token_j = total / tokens;
  }
  return metrics;
}

Goodput goodput_of(const Metrics& metrics, const Slo& slo) {
  Goodput goodput;
  goodput.slo = slo;
  for (const RequestMetrics& request : metrics.requests) {
    const Seconds first(request.ttft_s + request.queueing_s.value_or(0));
    goodput.met += request.tokens > 0 && first <= slo.ttft && Seconds(request.tpot_s) <= slo.tpot;
  }
  const auto met = static_cast<double>(goodput.met);
  if (metrics.arrived > 0) goodput.share = met / static_cast<double>(metrics.arrived);
  if (metrics.makespan_s > kShortestRun_s) goodput.requests_per_s = met / metrics.makespan_s;
  return goodput;
}

Slo parse_slo(std::string_view text) {
  const std::size_t comma = text.find(',');
  try {
    if (comma != std::string_view::npos) {
      return {Seconds(parse_quantity(text.substr(0, comma), Unit::kSeconds)),
              Seconds(parse_quantity(text.substr(comma + 1), Unit::kSeconds))};
    }
  } catch (const InputError&) {  // named below, whole
  }
  throw UsageError(
      fmt::format("'{}' is not accepted; write the most time to the first token and to each "
                  "further one, such as "
                  "500 ms,50 ms",
                  one_line(text, 60)));
}

}  // namespace lingua
