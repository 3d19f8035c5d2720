#include "runtime/events/metrics.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "runtime/base/percentile.h"
#include "runtime/device/roofline.h"

namespace lingua {
namespace {

// Shorter spans give no rate.
constexpr double kShortest = 1e-12;

struct Steps {
  std::int64_t count = 0;
  std::optional<Seconds> first_end;  // of step 0
  Seconds last_end{0};
};

std::vector<RequestMetrics> request_metrics(const EventLog& log) {
  std::map<RequestId, Steps> steps;
  std::map<RequestId, RequestMetrics> requests;
  for (const EventRow& row : log.rows()) {
    if (row.what == event::kStep) {
      Steps& mine = steps[row.request];
      mine.last_end = mine.count == 0 ? row.end : std::max(mine.last_end, row.end);
      ++mine.count;
      if (row.step == 0) mine.first_end = row.end;
    } else if (row.what == event::kRequest) {
      requests[row.request] = {row.request, row.start, row.end, 0, 0, 0};
    }
  }
  std::vector<RequestMetrics> result;
  for (auto& [id, request] : requests) {
    const Steps& mine = steps[id];
    request.tokens = mine.count;
    if (mine.first_end) {
      request.ttft_s = (*mine.first_end - request.start).count();
      if (mine.count > 1) {
        request.tpot_s =
            (mine.last_end - *mine.first_end).count() / static_cast<double>(mine.count - 1);
      }
    }
    result.push_back(request);
  }
  return result;
}

Spread spread_of(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  return {percentile(values, 0.5), percentile(values, 0.95)};
}

void add_spreads(Metrics& metrics) {
  std::vector<double> latency;
  std::vector<double> ttft;
  std::vector<double> tpot;
  for (const RequestMetrics& request : metrics.requests) {
    latency.push_back((request.end - request.start).count());
    if (request.tokens > 0) ttft.push_back(request.ttft_s);
    if (request.tokens > 1) tpot.push_back(request.tpot_s);
  }
  metrics.latency = spread_of(std::move(latency));
  metrics.ttft = spread_of(std::move(ttft));
  metrics.tpot = spread_of(std::move(tpot));
}

void add_request_totals(Metrics& metrics, Seconds start, Seconds end) {
  double tokens = 0;
  double with_first = 0;
  double with_more = 0;
  for (const RequestMetrics& request : metrics.requests) {
    tokens += static_cast<double>(request.tokens);
    with_first += request.tokens > 0;
    with_more += request.tokens > 1;
    metrics.ttft_s += request.ttft_s;
    metrics.tpot_s += request.tpot_s;
  }
  if (with_first > 0) metrics.ttft_s /= with_first;
  if (with_more > 0) metrics.tpot_s /= with_more;
  metrics.makespan_s = (end - start).count();
  if (metrics.makespan_s > kShortest) metrics.tokens_per_s = tokens / metrics.makespan_s;
}

using Interval = std::pair<Seconds, Seconds>;

double union_s(std::vector<Interval> intervals) {
  if (intervals.empty()) return 0;
  std::sort(intervals.begin(), intervals.end());
  Seconds sum{0};
  Seconds covered = intervals.front().first;
  for (const auto& [start, end] : intervals) {
    if (end > covered) sum += end - std::max(start, covered);
    covered = std::max(covered, end);
  }
  return sum.count();
}

std::vector<DeviceMetrics> device_metrics(const EventLog& log,
                                          const std::optional<Interval>& span) {
  std::map<DeviceName, std::vector<Interval>> computing;
  std::map<DeviceName, double> count;
  for (const EventRow& row : log.rows()) {
    if (row.what != event::kCompute && row.what != event::kLoad) continue;
    auto& intervals = computing[row.who];
    if (row.what != event::kCompute) continue;
    count[row.who] += 1;
    const Seconds start = span ? std::max(row.start, span->first) : row.start;
    const Seconds end = span ? std::min(row.end, span->second) : row.end;
    if (start < end) intervals.emplace_back(start, end);
  }
  std::vector<DeviceMetrics> result;
  const double time = span ? (span->second - span->first).count() : 0.0;
  for (auto& [name, intervals] : computing) {
    const double busy = union_s(std::move(intervals));
    result.push_back({name, busy, time > kShortest ? busy / time : 0.0, count[name], {}});
  }
  return result;
}

std::vector<LinkMetrics> link_metrics(const EventLog& log) {
  std::map<std::pair<DeviceName, DeviceName>, LinkMetrics> links;
  for (const EventRow& row : log.rows()) {
    if (row.what != event::kTransfer && row.what != event::kResult) continue;
    const auto arrow = row.who.find("->");
    if (arrow == std::string::npos) continue;
    const DeviceName from = row.who.substr(0, arrow);
    const DeviceName to = row.who.substr(arrow + 2);
    LinkMetrics& link = links[{from, to}];
    link.from = from;
    link.to = to;
    link.bytes += row.bytes;
    link.messages += 1;
    link.mean_s += (row.end - row.start).count();
  }
  std::vector<LinkMetrics> result;
  for (auto& [ends, link] : links) {
    link.mean_s /= static_cast<double>(link.messages);
    result.push_back(std::move(link));
  }
  return result;
}

bool states_power(const ClusterSpec& cluster) {
  return cluster.radio_power_w > 0 ||
         std::any_of(cluster.devices.begin(), cluster.devices.end(),
                     [](const DeviceSpec& device) { return device.power_w > 0; });
}

void add_energy(const ClusterSpec& cluster, Metrics& metrics) {
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
  }
  metrics.energy_j = total;
  std::int64_t tokens = 0;
  for (const RequestMetrics& request : metrics.requests) tokens += request.tokens;
  if (tokens > 0) metrics.energy_per_token_j = total / static_cast<double>(tokens);
}

}  // namespace

Metrics compute_metrics(const EventLog& log) {
  Metrics metrics;
  metrics.requests = request_metrics(log);
  std::optional<Interval> span;
  for (const RequestMetrics& request : metrics.requests) {
    if (!span) span = {request.start, request.end};
    span->first = std::min(span->first, request.start);
    span->second = std::max(span->second, request.end);
  }
  if (span) add_request_totals(metrics, span->first, span->second);
  add_spreads(metrics);
  metrics.devices = device_metrics(log, span);
  metrics.links = link_metrics(log);
  return metrics;
}

Metrics compute_metrics(const EventLog& log, const ClusterSpec& cluster) {
  Metrics metrics = compute_metrics(log);
  if (states_power(cluster)) add_energy(cluster, metrics);
  return metrics;
}

}  // namespace lingua
