#include "runtime/events/run_meter.h"

#include <algorithm>
#include <limits>
#include <tuple>

#include "runtime/base/percentile.h"

namespace lingua {
namespace {

constexpr Seconds kAlways{std::numeric_limits<double>::infinity()};

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

std::optional<std::pair<Seconds, Seconds>> span_of(const Metrics& metrics) {
  if (metrics.requests.empty()) return std::nullopt;
  std::pair<Seconds, Seconds> span(kAlways, -kAlways);
  for (const RequestMetrics& request : metrics.requests) {
    span.first = std::min(span.first, request.start);
    span.second = std::max(span.second, request.end);
  }
  return span;
}

void add_request_totals(Metrics& metrics) {
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
  if (const auto span = span_of(metrics)) metrics.makespan_s = (span->second - span->first).count();
  if (metrics.makespan_s > kShortestRun_s)
    metrics.tokens_per_s = metrics.tokens() / metrics.makespan_s;
}

}  // namespace

void RunMeter::take(const EventRow& row) {
  if (row.what == event::kCompute) {
    take_computing(row);
  } else if (row.what == event::kTransfer || row.what == event::kResult) {
    take_message(row);
  } else if (row.what == event::kStep) {
    take_step(row);
  } else if (row.what == event::kLoad) {
    devices_[row.who].is_device = true;
  } else if (row.what == event::kArrival) {
    auto& arrival = requests_[row.request].arrival;
    arrival = std::min(arrival.value_or(row.start), row.start);
  } else if (row.what == event::kMemory) {
    no_room_.add(row.start, row.end);
  } else if (row.what == event::kRequest) {
    auto& span = requests_[row.request].span;
    const std::pair own(row.start, row.end);
    span = std::max(span.value_or(own), own);
  }
}

void RunMeter::take_step(const EventRow& row) {
  Request& request = requests_[row.request];
  const auto first = [&] {
    return std::tie(request.first_step, request.first_start, request.first_end);
  };
  if (request.steps == 0 || std::tie(row.step, row.start, row.end) < first())
    first() = std::tie(row.step, row.start, row.end);
  request.last_end = request.steps == 0 ? row.end : std::max(request.last_end, row.end);
  ++request.steps;
}

void RunMeter::take_computing(const EventRow& row) {
  Activity& device = devices_[row.who];
  device.is_device = true;
  ++device.segments;
  if (device.start != row.start) device.at_start.clear();
  device.start = row.start;
  device.batches += device.at_start.emplace(row.segment, row.end).second;
  device.computing.add(row.start, row.end);
  device.either.add(row.start, row.end);
}

// One without an arrow is of no link.
void RunMeter::take_message(const EventRow& row) {
  auto place = links_.find(row.who);
  if (place == links_.end()) {
    const auto arrow = row.who.find("->");
    if (arrow == std::string::npos) return;
    place = links_.emplace(row.who, Link()).first;
    place->second.from = row.who.substr(0, arrow);
    place->second.to = row.who.substr(arrow + 2);
  }
  Link& link = place->second;
  link.bytes.add(row.bytes);
  if (row.what == event::kResult) link.result_bytes.add(row.bytes);
  ++link.messages;
  link.time_s.add((row.end - row.start).count());
  devices_[link.to].either.add(row.start, row.end);
}

Metrics RunMeter::metrics() const {
  Metrics metrics;
  add_requests(metrics);
  add_request_totals(metrics);
  add_spreads(metrics);
  add_devices(metrics);
  add_links(metrics);
  if (const double tokens = metrics.tokens(); tokens > 0) {
    double bytes = 0;
    for (const LinkMetrics& link : metrics.links) bytes += link.bytes;
    metrics.bytes_per_token = bytes / tokens;
  }
  return metrics;
}

void RunMeter::add_requests(Metrics& metrics) const {
  for (const auto& [id, request] : requests_) {
    metrics.arrived += request.span || request.arrival;
    if (!request.span) continue;
    RequestMetrics one;
    one.request = id;
    std::tie(one.start, one.end) = *request.span;
    one.tokens = request.tokens.value_or(request.steps);
    if (request.arrival) one.queueing_s = std::max(0.0, (one.start - *request.arrival).count());
    if (request.steps > 0) one.ttft_s = (request.first_end - one.start).count();
    if (request.steps > 1 && one.tokens > 1) {
      one.tpot_s =
          (request.last_end - request.first_end).count() / static_cast<double>(one.tokens - 1);
    }
    metrics.requests.push_back(one);
  }
  std::sort(metrics.requests.begin(), metrics.requests.end(),
            [](const auto& a, const auto& b) { return a.request < b.request; });
}

void RunMeter::add_devices(Metrics& metrics) const {
  const auto span = span_of(metrics);
  const auto [from, to] = span.value_or(std::pair(-kAlways, kAlways));
  for (const auto& [name, activity] : devices_) {
    if (!activity.is_device) continue;
    DeviceMetrics device;
    device.device = name;
    device.computed_segments = static_cast<double>(activity.segments);
    if (activity.segments > 0)
      device.mean_batch = device.computed_segments / static_cast<double>(activity.batches);
    device.busy_s = activity.computing.length_s(from, to);
    if (metrics.makespan_s > kShortestRun_s) device.busy_share = device.busy_s / metrics.makespan_s;
    const double either = activity.either.length_s(from, to);
    device.idle_link_s = std::max(0.0, either - device.busy_s);
    IntervalUnion explained = activity.either;
    explained.add(no_room_);
    const double all = explained.length_s(from, to);
    device.idle_memory_s = std::max(0.0, all - either);
    device.idle_no_input_s = std::max(0.0, metrics.makespan_s - all);
    metrics.devices.push_back(std::move(device));
  }
  std::sort(metrics.devices.begin(), metrics.devices.end(),
            [](const auto& a, const auto& b) { return a.device < b.device; });
}

void RunMeter::add_links(Metrics& metrics) const {
  for (const auto& [name, link] : links_) {
    LinkMetrics one;
    one.from = link.from;
    one.to = link.to;
    one.bytes = link.bytes.value();
    one.result_bytes = link.result_bytes.value();
    one.messages = link.messages;
    one.mean_s = link.time_s.value() / static_cast<double>(link.messages);
    metrics.links.push_back(std::move(one));
  }
  std::sort(metrics.links.begin(), metrics.links.end(), [](const auto& a, const auto& b) {
    return std::tie(a.from, a.to) < std::tie(b.from, b.to);
  });
}

}  // namespace lingua
