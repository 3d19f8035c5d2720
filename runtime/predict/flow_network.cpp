#include "runtime/predict/flow_network.h"

#include <algorithm>
#include <limits>

namespace lingua {

int FlowNetwork::add_way(const DeviceName& from, const DeviceName& to) {
  Way way;
  way.from = from;
  way.to = to;
  for (const NetworkPart& part : layout_.path(from, to)) {
    const auto [found, is_new] =
        link_by_name_.try_emplace(part.name, static_cast<int>(links_.size()));
    if (is_new) links_.push_back({part.bytes_per_s, 0, 0, 0});
    way.links.push_back(found->second);
  }
  ways_.push_back(std::move(way));
  return static_cast<int>(ways_.size()) - 1;
}

void FlowNetwork::settle(Way& way, double rate, double now_s, int index) {
  way.settled = true;
  if (rate == way.rate) return;
  way.left_bytes = std::max(0.0, way.left_bytes - way.rate * (now_s - way.since_s));
  way.since_s = now_s;
  way.rate = rate;
  changes_.push_back({index, now_s + way.left_bytes / rate});
}

const std::vector<FlowNetwork::Change>& FlowNetwork::begin(int index, double bytes, double now_s) {
  changes_.clear();
  Way& way = ways_[index];
  way.active = true;
  way.rate = 0;
  way.left_bytes = bytes;
  way.since_s = now_s;
  active_.push_back(index);
  bool alone = true;
  double rate = std::numeric_limits<double>::infinity();
  for (int l : way.links) {
    alone = alone && links_[l].flows == 0;
    rate = std::min(rate, links_[l].bytes_per_s);
    if (++links_[l].flows == 1) used_.insert(std::lower_bound(used_.begin(), used_.end(), l), l);
  }
  if (alone) {
    settle(way, rate, now_s, index);
  } else {
    share(now_s);
  }
  return changes_;
}

const std::vector<FlowNetwork::Change>& FlowNetwork::end(int index, double now_s) {
  changes_.clear();
  Way& way = ways_[index];
  way.active = false;
  active_.erase(std::find(active_.begin(), active_.end(), index));
  bool alone = true;
  for (int l : way.links) {
    if (--links_[l].flows > 0) {
      alone = false;
    } else {
      used_.erase(std::lower_bound(used_.begin(), used_.end(), l));
    }
  }
  if (!alone) share(now_s);
  return changes_;
}

const std::vector<FlowNetwork::Change>& FlowNetwork::set_bandwidth(const DeviceName& device,
                                                                   double factor, double now_s) {
  changes_.clear();
  layout_.set_bandwidth(device, factor);
  for (const Way& way : ways_) {
    if (way.from != device && way.to != device) continue;
    for (const NetworkPart& part : layout_.path(way.from, way.to))
      links_[link_by_name_.at(part.name)].bytes_per_s = part.bytes_per_s;
  }
  share(now_s);
  return changes_;
}

// Gives each open flow of the tightest link its equal part, then goes on without them.
void FlowNetwork::share(double now_s) {
  for (int l : used_) {
    links_[l].free_bytes_per_s = links_[l].bytes_per_s;
    links_[l].open_flows = links_[l].flows;
  }
  for (int index : active_) ways_[index].settled = false;
  for (std::size_t open = active_.size(); open > 0;) {
    double part = std::numeric_limits<double>::infinity();
    int tightest = -1;
    for (int l : used_) {
      if (links_[l].open_flows == 0) continue;
      const double equal = links_[l].free_bytes_per_s / links_[l].open_flows;
      if (equal < part) tightest = l;
      part = std::min(part, equal);
    }
    for (int index : active_) {
      Way& way = ways_[index];
      if (way.settled) continue;
      if (std::find(way.links.begin(), way.links.end(), tightest) == way.links.end()) continue;
      settle(way, part, now_s, index);
      for (int l : way.links) {
        links_[l].free_bytes_per_s -= part;
        --links_[l].open_flows;
      }
      --open;
    }
  }
}

}  // namespace lingua
