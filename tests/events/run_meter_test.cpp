#include "runtime/events/run_meter.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "runtime/base/percentile.h"
#include "runtime/base/random.h"
#include "runtime/events/report.h"

namespace lingua {
namespace {

using Interval = std::pair<Seconds, Seconds>;

double plain_union_s(std::vector<Interval> intervals) {
  std::sort(intervals.begin(), intervals.end());
  Seconds sum{0};
  Seconds covered{-1e300};
  for (const auto& [start, end] : intervals) {
    if (end > covered) sum += end - std::max(start, covered);
    covered = std::max(covered, end);
  }
  return sum.count();
}

Spread plain_spread(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  return {percentile(values, 0.5), percentile(values, 0.9), percentile(values, 0.95),
          percentile(values, 0.99)};
}

// What metrics.h defines, from all rows of a log as often as one likes.
class PlainMetrics {
 public:
  explicit PlainMetrics(const std::vector<EventRow>& rows) {
    EventLog log;
    log.add(rows);
    log.sort();
    rows_ = log.rows();
    add_requests();
    add_means();
    add_links();
    for (const EventRow& row : rows_) {
      if (row.what == event::kCompute || row.what == event::kLoad) names_.insert(row.who);
    }
    for (const DeviceName& name : names_) add_device(name);
  }

  Metrics metrics;

 private:
  std::vector<EventRow> of(const char* what, RequestId request) const {
    std::vector<EventRow> found;
    for (const EventRow& row : rows_) {
      if (row.what == what && row.request == request) found.push_back(row);
    }
    return found;
  }

  void add_requests() {
    std::set<RequestId> ids;
    for (const EventRow& row : rows_) {
      if (row.what == event::kRequest || row.what == event::kArrival) ids.insert(row.request);
    }
    metrics.arrived = static_cast<std::int64_t>(ids.size());
    for (const RequestId id : ids) {
      const auto own = of(event::kRequest, id);
      if (own.empty()) continue;
      RequestMetrics request;
      request.request = id;
      request.start = own.back().start;
      request.end = own.back().end;
      const auto arrivals = of(event::kArrival, id);
      if (!arrivals.empty())
        request.queueing_s = std::max(0.0, (request.start - arrivals.front().start).count());
      const auto steps = of(event::kStep, id);
      request.tokens = static_cast<std::int64_t>(steps.size());
      if (!steps.empty()) {
        const auto first =
            std::min_element(steps.begin(), steps.end(),
                             [](const auto& a, const auto& b) { return a.step < b.step; });
        const auto last = std::max_element(
            steps.begin(), steps.end(), [](const auto& a, const auto& b) { return a.end < b.end; });
        request.ttft_s = (first->end - request.start).count();
        if (steps.size() > 1) {
          request.tpot_s = (last->end - first->end).count() / static_cast<double>(steps.size() - 1);
        }
      }
      metrics.requests.push_back(request);
    }
  }

  void add_means() {
    std::vector<double> latency, ttft, tpot, queueing;
    double tokens = 0;
    for (const RequestMetrics& request : metrics.requests) {
      if (latency.empty()) span_ = {request.start, request.end};
      span_ = {std::min(span_.first, request.start), std::max(span_.second, request.end)};
      latency.push_back((request.end - request.start).count());
      if (request.tokens > 0) ttft.push_back(request.ttft_s);
      if (request.tokens > 1) tpot.push_back(request.tpot_s);
      if (request.queueing_s) queueing.push_back(*request.queueing_s);
      tokens += static_cast<double>(request.tokens);
      metrics.ttft_s += request.ttft_s;
      metrics.tpot_s += request.tpot_s;
    }
    if (!ttft.empty()) metrics.ttft_s /= static_cast<double>(ttft.size());
    if (!tpot.empty()) metrics.tpot_s /= static_cast<double>(tpot.size());
    metrics.latency = plain_spread(latency);
    metrics.ttft = plain_spread(ttft);
    metrics.tpot = plain_spread(tpot);
    if (!queueing.empty()) metrics.queueing = plain_spread(queueing);
    metrics.makespan_s = (span_.second - span_.first).count();
    if (metrics.makespan_s > 0) metrics.tokens_per_s = tokens / metrics.makespan_s;
    if (tokens == 0) return;
    double bytes = 0;
    for (const EventRow& row : rows_) {
      if (is_message(row)) bytes += row.bytes;
    }
    metrics.bytes_per_token = bytes / tokens;
  }

  static bool is_message(const EventRow& row) {
    return (row.what == event::kTransfer || row.what == event::kResult) &&
           row.who.find("->") != std::string::npos;
  }

  void add_links() {
    std::map<std::string, LinkMetrics> links;
    for (const EventRow& row : rows_) {
      if (!is_message(row)) continue;
      LinkMetrics& link = links[row.who];
      link.from = row.who.substr(0, row.who.find("->"));
      link.to = row.who.substr(row.who.find("->") + 2);
      link.bytes += row.bytes;
      if (row.what == event::kResult) link.result_bytes += row.bytes;
      link.mean_s += (row.end - row.start).count();
      ++link.messages;
    }
    for (auto& [name, link] : links) {
      link.mean_s /= static_cast<double>(link.messages);
      metrics.links.push_back(link);
    }
  }

  void add_device(const DeviceName& name) {
    std::vector<Interval> computing;
    std::vector<Interval> either;
    std::vector<Interval> all;
    std::set<std::tuple<SegmentId, Seconds, Seconds>> batches;
    DeviceMetrics device;
    device.device = name;
    for (const EventRow& row : rows_) {
      const bool computes = row.what == event::kCompute && row.who == name;
      const bool waits = row.what == event::kMemory;
      const bool comes = is_message(row) && row.who.substr(row.who.find("->") + 2) == name;
      if (!computes && !comes && !waits) continue;
      Interval interval(row.start, row.end);
      if (!metrics.requests.empty()) {
        interval = {std::max(row.start, span_.first), std::min(row.end, span_.second)};
      }
      if (interval.first < interval.second) {
        all.push_back(interval);
        if (!waits) either.push_back(interval);
        if (computes) computing.push_back(interval);
      }
      if (!computes) continue;
      device.computed_segments += 1;
      batches.emplace(row.segment, row.start, row.end);
    }
    if (!batches.empty())
      device.mean_batch = device.computed_segments / static_cast<double>(batches.size());
    device.busy_s = plain_union_s(computing);
    if (metrics.makespan_s > 0) device.busy_share = device.busy_s / metrics.makespan_s;
    device.idle_link_s = plain_union_s(either) - device.busy_s;
    device.idle_memory_s = plain_union_s(all) - plain_union_s(either);
    device.idle_no_input_s = std::max(0.0, metrics.makespan_s - plain_union_s(all));
    metrics.devices.push_back(device);
  }

  std::vector<EventRow> rows_;
  std::set<DeviceName> names_;
  Interval span_;
};

// Times are multiples of 1/64 s and bytes of 1/8, of which sums are exact.
class RandomLog {
 public:
  explicit RandomLog(std::uint64_t seed) : rng_(seed) {
    const int requests = below(12);
    for (int r = 0; r < requests; ++r) {
      const double start = time();
      if (below(3) > 0) add("client-1", event::kArrival, r, -1, start - time(1), 0);
      const int steps = below(6);
      for (int s = 0; s < steps; ++s) add("a", event::kStep, r, s, start + time(), time(3));
      if (below(8) > 0) add("a", event::kRequest, r, -1, start, time());
      if (below(8) == 0) add("a", event::kRequest, r, -1, start + time(1), time());
    }
    for (int i = below(200); i > 0; --i) add_batch();
    for (int i = below(150); i > 0; --i) {
      const char* names[] = {"a->b", "b->a", "a->c", "b->coordinator", "nowhere", "d->b->a"};
      add(names[below(6)], below(3) == 0 ? event::kResult : event::kTransfer, below(12), below(6),
          time(), time(2));
    }
    for (int i = below(5); i > 0; --i)
      add("coordinator", event::kMemory, below(12), -1, time(), time(2));
    for (const char* name : {"a", "c", "z"}) {
      if (below(2) == 0) add(name, event::kLoad, -1, -1, 0, time(1));
    }
  }

  std::vector<EventRow> rows() const {
    std::vector<EventRow> rows;
    for (const auto& group : groups_) rows.insert(rows.end(), group.begin(), group.end());
    return rows;
  }

  // What a device computes from one instant on stays together.
  std::vector<EventRow> shuffled_rows() {
    std::map<std::pair<DeviceName, Seconds>, std::vector<EventRow>> computing;
    std::vector<std::vector<EventRow>> groups;
    for (const EventRow& row : rows()) {
      if (row.what == event::kCompute) {
        computing[{row.who, row.start}].push_back(row);
      } else {
        groups.push_back({row});
      }
    }
    for (auto& [key, group] : computing) groups.push_back(std::move(group));
    for (std::size_t i = groups.size(); i > 1; --i) std::swap(groups[i - 1], groups[rng_.below(i)]);
    std::vector<EventRow> rows;
    for (const auto& group : groups) rows.insert(rows.end(), group.begin(), group.end());
    return rows;
  }

 private:
  int below(int bound) { return static_cast<int>(rng_.below(static_cast<std::uint64_t>(bound))); }
  double time(int most = 20) { return below(most * 64) / 64.0; }

  void add(const char* who, const char* what, RequestId request, std::int64_t step, double start,
           double length, SegmentId segment = -1) {
    groups_.push_back({{who, what, segment, request, step, Seconds(start), Seconds(start + length),
                        below(100'000) / 8.0}});
  }

  void add_batch() {
    const char* names[] = {"a", "b", "c"};
    const char* name = names[below(3)];
    const double start = time();
    const double length = below(5) == 0 ? 0 : time(1);
    const SegmentId segment = below(4);
    for (int i = below(4); i >= 0; --i)
      add(name, event::kCompute, below(12), below(6), start, length, segment);
  }

  Rng rng_;
  std::vector<std::vector<EventRow>> groups_;
};

Metrics measured(const std::vector<EventRow>& rows) {
  RunMeter meter;
  for (const EventRow& row : rows) meter.take(row);
  return meter.metrics();
}

nlohmann::json whole_json(Metrics metrics) {
  metrics.goodput = goodput_of(metrics, {Seconds(5), Seconds(1)});
  nlohmann::json json = summary_json(metrics);
  json["arrived"] = metrics.arrived;
  for (const DeviceMetrics& device : metrics.devices) json["batches"].push_back(device.mean_batch);
  return json;
}

TEST(RunMeter, GivesWhatPlainDefinitionsGiveInWhateverOrderRowsCome) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    RandomLog log(seed);
    const nlohmann::json plain = whole_json(PlainMetrics(log.rows()).metrics);
    for (int i = 0; i < 3; ++i)
      ASSERT_EQ(whole_json(measured(log.shuffled_rows())), plain) << "seed " << seed;
    EventLog sorted;
    sorted.add(log.rows());
    sorted.sort();
    ASSERT_EQ(whole_json(compute_metrics(sorted)), plain) << "seed " << seed;
  }
}

// Thirds, of which sums are rounded.
TEST(RunMeter, GivesTheSameBitsInAnyOrder) {
  Rng rng(5);
  std::vector<EventRow> rows = {{"a", event::kRequest, -1, 0, -1, Seconds(1), Seconds(90), 0}};
  for (int i = 0; i < 3000; ++i) {
    const double start = rng.uniform(0, 100) / 3;
    const Seconds end(start + rng.uniform() / 3);
    rows.push_back({"a", event::kCompute, 0, 0, i, Seconds(start), end, 0});
    rows.push_back({"b->a", event::kResult, 0, 0, i, Seconds(start), end, rng.uniform(0, 1e6) / 3});
  }
  const nlohmann::json once = whole_json(measured(rows));
  std::reverse(rows.begin(), rows.end());
  EXPECT_EQ(whole_json(measured(rows)), once);
  double bytes = 0;
  for (const EventRow& row : rows) bytes += row.bytes;
  EXPECT_NEAR(once["links"][0]["bytes"], bytes, 1e-12 * bytes);
}

TEST(RunMeter, CanBeAskedBetweenRows) {
  RunMeter meter;
  EXPECT_TRUE(meter.metrics().devices.empty());
  meter.take({"a", event::kRequest, -1, 0, -1, Seconds(0), Seconds(4), 0});
  for (int i = 0; i < 4; ++i) {
    meter.take({"a", event::kCompute, i, 0, 0, Seconds(i), Seconds(i + 0.5), 0});
    EXPECT_EQ(meter.metrics().devices.at(0).busy_s, (i + 1) * 0.5);
  }
}

}  // namespace
}  // namespace lingua
