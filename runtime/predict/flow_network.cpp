#include "runtime/predict/flow_network.h"

#include <algorithm>
#include <limits>

#include "runtime/base/errors.h"

namespace lingua {

FlowNetwork::FlowNetwork(const ClusterSpec& cluster) : cluster_(cluster) {
  for (const auto& [ends, link] : cluster.links) {
    double& up = fastest_up_[ends.first];
    double& down = fastest_down_[ends.second];
    up = std::max(up, link.bytes_per_s);
    down = std::max(down, link.bytes_per_s);
  }
}

int FlowNetwork::link(const std::string& name, double bytes_per_s) {
  const auto [found, is_new] = link_by_name_.try_emplace(name, static_cast<int>(links_.size()));
  if (is_new) links_.push_back({bytes_per_s, 0, 0, 0});
  return found->second;
}

int FlowNetwork::radio(const DeviceName& name, bool up) {
  const auto& fastest = up ? fastest_up_ : fastest_down_;
  const auto own = fastest.find(name);
  const double usual = cluster_.default_link.bytes_per_s;
  return link((up ? "up " : "down ") + name,
              own == fastest.end() ? usual : std::max(usual, own->second));
}

int FlowNetwork::add_way(const DeviceName& from, const DeviceName& to) {
  Way way;
  way.links = {radio(from, true), radio(to, false)};
  const auto own = cluster_.links.find({from, to});
  if (own != cluster_.links.end()) {
    way.links.push_back(link(from + " to " + to, own->second.bytes_per_s));
  } else {
    // Beside a faster radio, what goes by default is no faster than the default.
    const double usual = cluster_.default_link.bytes_per_s;
    if (links_[way.links[0]].bytes_per_s > usual) {
      way.links.push_back(link("up by default " + from, usual));
    }
    if (links_[way.links[1]].bytes_per_s > usual) {
      way.links.push_back(link("down by default " + to, usual));
    }
  }
  if (cluster_.shared_bytes_per_s > 0) {
    way.links.push_back(link("medium", cluster_.shared_bytes_per_s));
  }
  for (int l : way.links) {
    LINGUA_CHECK(links_[l].bytes_per_s > 0, "no link from {} to {}", from, to);
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
