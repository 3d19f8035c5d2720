#include "runtime/plan/weight_sources.h"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <optional>

#include "runtime/base/errors.h"
#include "runtime/device/network_layout.h"

namespace lingua {
namespace {

using Path = std::vector<std::size_t>;  // parts of the network

// Parts of the network and for how long they are busy.
class Loads {
 public:
  explicit Loads(const WeightWays& ways) : ways_(ways), layout_(*ways.cluster) {}

  Path path(const DeviceName& from, const DeviceName& to) {
    std::vector<NetworkPart> parts = layout_.path(from, to);
    if (ways_.bytes_per_s > 0) parts.push_back({"bound of " + from, ways_.bytes_per_s});
    Path path;
    for (const NetworkPart& part : parts) {
      const auto [known, is_new] = parts_.try_emplace(part.name, bytes_per_s_.size());
      if (is_new) {
        bytes_per_s_.push_back(part.bytes_per_s);
        seconds_.push_back(0);
      }
      path.push_back(known->second);
    }
    return path;
  }

  void clear() { std::fill(seconds_.begin(), seconds_.end(), 0.0); }
  void add(const Path& path, double bytes) {
    for (const std::size_t part : path) seconds_[part] += bytes / bytes_per_s_[part];
  }
  // The busiest part of a path with so much more on it, and nothing else where `alone`.
  double busiest(const Path& path, double bytes, bool alone = false) const {
    double most = 0;
    for (const std::size_t part : path)
      most = std::max(most, (alone ? 0 : seconds_[part]) + bytes / bytes_per_s_[part]);
    return most;
  }
  std::size_t busiest() const {
    return static_cast<std::size_t>(std::max_element(seconds_.begin(), seconds_.end()) -
                                    seconds_.begin());
  }
  double seconds(std::size_t part) const { return seconds_[part]; }
  double most_seconds() const { return seconds_.empty() ? 0 : seconds_[busiest()]; }

 private:
  const WeightWays& ways_;
  const NetworkLayout layout_;
  std::map<std::string, std::size_t> parts_;
  std::vector<double> bytes_per_s_;
  std::vector<double> seconds_;
};

constexpr double kBusier = 1 + 1e-9;  // by less, and two parts are as busy

bool uses(const Path& path, std::size_t part) {
  return std::find(path.begin(), path.end(), part) != path.end();
}

class Chooser {
 public:
  Chooser(const std::vector<WeightNeed>& needs, const WeightWays& ways)
      : needs_(needs), loads_(ways), choice_(needs.size(), 0) {
    std::map<std::pair<DeviceName, DeviceName>, Path> paths;
    for (const WeightNeed& need : needs) {
      std::vector<Way>& own = ways_.emplace_back();
      for (const DeviceName& sender : senders_of(need, ways)) {
        const auto [known, is_new] = paths.try_emplace({sender, need.device});
        if (is_new) known->second = loads_.path(sender, need.device);
        own.push_back({sender, known->second});
      }
    }
    order_.resize(needs.size());
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    std::stable_sort(order_.begin(), order_.end(),
                     [&](std::size_t a, std::size_t b) { return needs[a].bytes > needs[b].bytes; });
  }

  std::vector<DeviceName> best() {
    const double alone_s = choose(true);
    const std::vector<DeviceName> alone = names();
    return choose(false) <= alone_s * kBusier ? names() : alone;
  }

 private:
  struct Way {
    DeviceName sender;
    Path path;
  };

  // The coordinator first.
  static std::vector<DeviceName> senders_of(const WeightNeed& need, const WeightWays& ways) {
    std::vector<DeviceName> senders = {kCoordinator};
    for (const DeviceName& holder : need.held_by) {
      const bool is_cut =
          ways.cut.contains({holder, need.device}) || ways.cut.contains({need.device, holder});
      if (holder != need.device && holder != kCoordinator && !is_cut) senders.push_back(holder);
    }
    return senders;
  }

  // Each weight the way that is free soonest, or where `alone` that is fastest when nothing else goes; then as
  // none is better off elsewhere. Returns how long it takes.
  double choose(bool alone) {
    loads_.clear();
    for (const std::size_t i : order_) {
      const double bytes = needs_[i].bytes;
      double best_s = std::numeric_limits<double>::infinity();
      for (std::size_t w = 0; w < ways_[i].size(); ++w) {
        const double s = loads_.busiest(ways_[i][w].path, bytes, alone);
        if (s * kBusier >= best_s) continue;
        best_s = s;
        choice_[i] = w;
      }
      loads_.add(path_of(i), bytes);
    }
    for (std::size_t round = 0; round < 2 * needs_.size(); ++round) {
      if (!relieve()) break;
    }
    return loads_.most_seconds();
  }

  // Moves one weight off the busiest part; false where nothing is won by it.
  bool relieve() {
    const std::size_t part = loads_.busiest();
    std::optional<std::pair<std::size_t, std::size_t>> best;
    double best_s = loads_.seconds(part) / kBusier;
    for (std::size_t i = 0; i < needs_.size(); ++i) {
      if (!uses(path_of(i), part)) continue;
      const double bytes = needs_[i].bytes;
      loads_.add(path_of(i), -bytes);
      for (std::size_t w = 0; w < ways_[i].size(); ++w) {
        if (uses(ways_[i][w].path, part)) continue;
        const double s = std::max(loads_.seconds(part), loads_.busiest(ways_[i][w].path, bytes));
        if (s * kBusier >= best_s) continue;
        best_s = s;
        best = {i, w};
      }
      loads_.add(path_of(i), bytes);
    }
    if (!best) return false;
    const auto [i, w] = *best;
    loads_.add(path_of(i), -needs_[i].bytes);
    choice_[i] = w;
    loads_.add(path_of(i), needs_[i].bytes);
    return true;
  }

  const Path& path_of(std::size_t i) const { return ways_[i][choice_[i]].path; }
  std::vector<DeviceName> names() const {
    std::vector<DeviceName> names;
    for (std::size_t i = 0; i < needs_.size(); ++i) names.push_back(ways_[i][choice_[i]].sender);
    return names;
  }

  const std::vector<WeightNeed>& needs_;
  Loads loads_;
  std::vector<std::vector<Way>> ways_;
  std::vector<std::size_t> choice_;  // of them
  std::vector<std::size_t> order_;   // the largest first
};

}  // namespace

std::vector<DeviceName> weight_sources(const std::vector<WeightNeed>& needs,
                                       const WeightWays& ways) {
  if (needs.empty()) return {};
  return Chooser(needs, ways).best();
}

double weights_sending_s(const std::vector<WeightNeed>& needs,
                         const std::vector<DeviceName>& sources, const WeightWays& ways) {
  LINGUA_CHECK(needs.size() == sources.size(), "{} of {}", sources.size(), needs.size());
  Loads loads(ways);
  Seconds latency{0};
  for (std::size_t i = 0; i < needs.size(); ++i) {
    loads.add(loads.path(sources[i], needs[i].device), needs[i].bytes);
    latency = std::max(latency, ways.cluster->link(sources[i], needs[i].device).latency);
  }
  return loads.most_seconds() + latency.count();
}

}  // namespace lingua
