#include "runtime/events/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/percentile.h"
#include "runtime/base/plain_text.h"
#include "runtime/device/roofline.h"

namespace lingua {
namespace {

// Shorter spans give no rate.
constexpr double kShortest = 1e-12;

struct Steps {
  std::int64_t count = 0;
  std::int64_t first = 0;  // the lowest: further ones may be of the prompt
  std::optional<Seconds> first_end;
  Seconds last_end{0};
};

void add_requests(const EventLog& log, Metrics& metrics) {
  std::map<RequestId, Steps> steps;
  std::map<RequestId, RequestMetrics> requests;
  std::map<RequestId, Seconds> arrivals;
  for (const EventRow& row : log.rows()) {
    if (row.what == event::kArrival) {
      const auto [place, is_first] = arrivals.emplace(row.request, row.start);
      if (!is_first) place->second = std::min(place->second, row.start);
    } else if (row.what == event::kStep) {
      Steps& mine = steps[row.request];
      mine.last_end = mine.count == 0 ? row.end : std::max(mine.last_end, row.end);
      ++mine.count;
      if (!mine.first_end || row.step < mine.first) {
        mine.first = row.step;
        mine.first_end = row.end;
      }
    } else if (row.what == event::kRequest) {
      requests[row.request] = {row.request, row.start, row.end, 0, 0, 0, {}};
    }
  }
  for (auto& [id, request] : requests) {
    const Steps& mine = steps[id];
    request.tokens = mine.count;
    if (const auto arrival = arrivals.find(id); arrival != arrivals.end()) {
      request.queueing_s = std::max(0.0, (request.start - arrival->second).count());
      arrivals.erase(arrival);
    }
    if (mine.first_end) {
      request.ttft_s = (*mine.first_end - request.start).count();
      if (mine.count > 1) {
        request.tpot_s =
            (mine.last_end - *mine.first_end).count() / static_cast<double>(mine.count - 1);
      }
    }
    metrics.requests.push_back(request);
  }
  metrics.arrived = static_cast<std::int64_t>(requests.size() + arrivals.size());
}

Spread spread_of(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  return {percentile(values, 0.5), percentile(values, 0.9), percentile(values, 0.95),
          percentile(values, 0.99)};
}

void add_spreads(Metrics& metrics) {
  std::vector<double> latency;
  std::vector<double> ttft;
  std::vector<double> tpot;
  std::vector<double> queueing;
  for (const RequestMetrics& request : metrics.requests) {
    latency.push_back((request.end - request.start).count());
    if (request.tokens > 0) ttft.push_back(request.ttft_s);
    if (request.tokens > 1) tpot.push_back(request.tpot_s);
    if (request.queueing_s) queueing.push_back(*request.queueing_s);
  }
  metrics.latency = spread_of(std::move(latency));
  metrics.ttft = spread_of(std::move(ttft));
  metrics.tpot = spread_of(std::move(tpot));
  if (!queueing.empty()) metrics.queueing = spread_of(std::move(queueing));
}

double tokens_of(const Metrics& metrics) {
  double tokens = 0;
  for (const RequestMetrics& request : metrics.requests) {
    tokens += static_cast<double>(request.tokens);
  }
  return tokens;
}

void add_request_totals(Metrics& metrics, Seconds start, Seconds end) {
  double with_first = 0;
  double with_more = 0;
  for (const RequestMetrics& request : metrics.requests) {
    with_first += request.tokens > 0;
    with_more += request.tokens > 1;
    metrics.ttft_s += request.ttft_s;
    metrics.tpot_s += request.tpot_s;
  }
  if (with_first > 0) metrics.ttft_s /= with_first;
  if (with_more > 0) metrics.tpot_s /= with_more;
  metrics.makespan_s = (end - start).count();
  if (metrics.makespan_s > kShortest)
    metrics.tokens_per_s = tokens_of(metrics) / metrics.makespan_s;
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

// The ends of a transfer or result; nothing for other rows.
std::optional<std::pair<DeviceName, DeviceName>> ends_of(const EventRow& row) {
  if (row.what != event::kTransfer && row.what != event::kResult) return std::nullopt;
  const auto arrow = row.who.find("->");
  if (arrow == std::string::npos) return std::nullopt;
  return std::pair(row.who.substr(0, arrow), row.who.substr(arrow + 2));
}

// Of a device, inside the span of the run.
struct Activity {
  std::vector<Interval> computing;
  std::vector<Interval> receiving;
  double count = 0;  // of computed segments
  std::set<std::tuple<SegmentId, Seconds, Seconds>> batches;
};

std::vector<DeviceMetrics> device_metrics(const EventLog& log,
                                          const std::optional<Interval>& span) {
  std::map<DeviceName, Activity> devices;
  for (const EventRow& row : log.rows()) {
    if (row.what == event::kCompute || row.what == event::kLoad) devices[row.who];
  }
  for (const EventRow& row : log.rows()) {
    const auto ends = ends_of(row);
    const auto place = devices.find(ends ? ends->second : row.who);
    if (place == devices.end() || (!ends && row.what != event::kCompute)) continue;
    if (!ends) {
      place->second.count += 1;
      place->second.batches.emplace(row.segment, row.start, row.end);
    }
    const Seconds start = span ? std::max(row.start, span->first) : row.start;
    const Seconds end = span ? std::min(row.end, span->second) : row.end;
    if (start >= end) continue;
    (ends ? place->second.receiving : place->second.computing).emplace_back(start, end);
  }
  std::vector<DeviceMetrics> result;
  const double time = span ? (span->second - span->first).count() : 0.0;
  for (auto& [name, activity] : devices) {
    DeviceMetrics device;
    device.device = name;
    device.computed_segments = activity.count;
    if (activity.count > 0)
      device.mean_batch = activity.count / static_cast<double>(activity.batches.size());
    device.busy_s = union_s(activity.computing);
    if (time > kShortest) device.busy_share = device.busy_s / time;
    activity.receiving.insert(activity.receiving.end(), activity.computing.begin(),
                              activity.computing.end());
    const double either = union_s(std::move(activity.receiving));
    device.idle_link_s = std::max(0.0, either - device.busy_s);
    device.idle_no_input_s = std::max(0.0, time - either);
    result.push_back(std::move(device));
  }
  return result;
}

std::vector<LinkMetrics> link_metrics(const EventLog& log) {
  std::map<std::pair<DeviceName, DeviceName>, LinkMetrics> links;
  for (const EventRow& row : log.rows()) {
    const auto ends = ends_of(row);
    if (!ends) continue;
    LinkMetrics& link = links[*ends];
    std::tie(link.from, link.to) = *ends;
    link.bytes += row.bytes;
    if (row.what == event::kResult) link.result_bytes += row.bytes;
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
  if (const double tokens = tokens_of(metrics); tokens > 0) {
    metrics.energy_per_token_j = total / tokens;
  }
}

}  // namespace

Metrics compute_metrics(const EventLog& log) {
  Metrics metrics;
  add_requests(log, metrics);
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
  if (const double tokens = tokens_of(metrics); tokens > 0) {
    double bytes = 0;
    for (const LinkMetrics& link : metrics.links) bytes += link.bytes;
    metrics.bytes_per_token = bytes / tokens;
  }
  return metrics;
}

Metrics compute_metrics(const EventLog& log, const ClusterSpec& cluster) {
  Metrics metrics = compute_metrics(log);
  if (states_power(cluster)) add_energy(cluster, metrics);
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
  if (metrics.makespan_s > kShortest) goodput.requests_per_s = met / metrics.makespan_s;
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
