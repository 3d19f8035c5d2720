#include "runtime/pace/network_model.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/base/errors.h"

namespace lingua {

NetworkModel::NetworkModel(ClusterSpec cluster) : cluster_(std::move(cluster)), flows_(cluster_) {}

int NetworkModel::way_of(const DeviceName& from, const DeviceName& to) {
  const auto [found, is_new] = way_by_pair_.try_emplace({from, to}, 0);
  if (is_new) {
    found->second = flows_.add_way(from, to);
    LINGUA_CHECK(found->second == static_cast<int>(ways_.size()));
    ways_.push_back({from, to, cluster_.link(from, to).latency.count(), {}, 0, false, 0});
  }
  return found->second;
}

void NetworkModel::send(const DeviceName& from, const DeviceName& to, double bytes, double now_s) {
  const int index = way_of(from, to);
  Way& way = ways_[index];
  way.stream.push_back(std::round(bytes));
  latencies_.push({std::max(now_s + way.latency_s, last_s_), sent_++, index});
}

void NetworkModel::set_bandwidth_at(double when_s, const DeviceName& device, double factor) {
  bandwidths_.emplace(when_s, Bandwidth{device, factor});
}

const std::vector<NetworkModel::Arrival>& NetworkModel::advance(double now_s) {
  constexpr double kNone = std::numeric_limits<double>::infinity();
  arrivals_.clear();
  while (true) {
    const int done = next_done();
    const double done_s = done < 0 ? kNone : ways_[done].done_s;
    const double paid_s = latencies_.empty() ? kNone : latencies_.top().when_s;
    const double set_s = bandwidths_.empty() ? kNone : bandwidths_.begin()->first;
    const double next_s = std::min({done_s, paid_s, set_s});
    if (next_s > now_s) break;
    last_s_ = std::max(last_s_, next_s);
    if (set_s == next_s) {
      const auto first = bandwidths_.begin();
      take(flows_.set_bandwidth(first->second.device, first->second.factor, last_s_));
      bandwidths_.erase(first);
    } else if (paid_s <= done_s) {
      const int index = latencies_.top().way;
      latencies_.pop();
      ++ways_[index].ready;
      if (!ways_[index].flows) start(index, last_s_);
    } else {
      ways_[done].flows = false;
      std::erase(flowing_, done);
      take(flows_.end(done, last_s_));
      arrive(ways_[done], last_s_);
      start(done, last_s_);
    }
  }
  last_s_ = std::max(last_s_, now_s);
  return arrivals_;
}

double NetworkModel::next_s() const {
  double next = std::numeric_limits<double>::infinity();
  if (const int done = next_done(); done >= 0) next = ways_[done].done_s;
  if (!latencies_.empty()) next = std::min(next, latencies_.top().when_s);
  if (!flowing_.empty() && !bandwidths_.empty()) next = std::min(next, bandwidths_.begin()->first);
  return next;
}

std::size_t NetworkModel::under_way(const DeviceName& from, const DeviceName& to) const {
  const auto found = way_by_pair_.find({from, to});
  return found == way_by_pair_.end() ? 0 : ways_[found->second].stream.size();
}

int NetworkModel::next_done() const {
  int next = -1;
  for (const int way : flowing_) {
    if (next < 0 || ways_[way].done_s < ways_[next].done_s) next = way;
  }
  return next;
}

void NetworkModel::start(int index, double now_s) {
  Way& way = ways_[index];
  while (way.ready > 0) {
    if (way.stream.front() <= 0) {
      arrive(way, now_s);
      continue;
    }
    way.flows = true;
    flowing_.push_back(index);
    take(flows_.begin(index, way.stream.front(), now_s));
    return;
  }
}

void NetworkModel::arrive(Way& way, double now_s) {
  way.stream.pop_front();
  --way.ready;
  arrivals_.push_back({way.from, way.to, now_s});
}

void NetworkModel::take(const std::vector<FlowNetwork::Change>& changes) {
  for (const FlowNetwork::Change& change : changes) ways_[change.way].done_s = change.done_s;
}

}  // namespace lingua
