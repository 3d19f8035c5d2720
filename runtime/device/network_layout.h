#pragma once
// Which parts of a cluster's network each transfer uses: what the simulated cluster lays out and what
// predictions share among transfers that are under way at once.
//
// Each device's radio is its own: one part up and one down, as fast as the fastest path that uses it, shared
// by the device's transfers. A pair with a link of its own in the cluster has that link between the two
// radios. Other transfers go at the default: where a radio is faster than that, all that a device sends by
// default share one part, and all that it gets by default share another. The shared medium, if there is one,
// is part of every path. The coordinator is a device like others.
// A device's bandwidth may change (set_bandwidth): its radio does, what goes by default too, and a link of its
// own gives what the slower of its two ends does. The medium stays as it is.
// What goes to a relayed device through the coordinator uses the coordinator's radio too, both ways.
// Parts have no latency: it delays a message and occupies nothing.
// Units: bytes/s. Ownership: refers to the cluster, which must outlive it. Determinism: paths depend on the
// cluster and the bandwidths set.

#include <map>
#include <set>
#include <string>
#include <vector>

#include "runtime/device/spec.h"

namespace lingua {

// Of one name, it is the same part.
struct NetworkPart {
  std::string name;
  double bytes_per_s = 0;
  bool operator==(const NetworkPart&) const = default;
};

// Gives each pair without a link of its own, of which the second device is relayed, the one through the coordinator:
// the latencies of both hops together, and bytes one after the other at the speed of each.
// REQUIRES: from and to the coordinator there are links.
void lay_relayed_links(ClusterSpec* cluster);

class NetworkLayout {
 public:
  explicit NetworkLayout(const ClusterSpec& cluster);

  // From now on the device's links have so many times the bandwidth that the cluster says. REQUIRES:
  // factor > 0.
  void set_bandwidth(const DeviceName& device, double factor) { factors_[device] = factor; }

  // What a transfer uses. REQUIRES: from != to; the cluster has a link from one to the other.
  std::vector<NetworkPart> path(const DeviceName& from, const DeviceName& to) const;

  // The two halves of the path of any pair without a link of its own. A default without bandwidth, where
  // every pair of the device has its own link, has no part here.
  std::vector<NetworkPart> leaving(const DeviceName& from) const;  // the medium is in this half
  std::vector<NetworkPart> arriving(const DeviceName& to) const;

 private:
  double factor(const DeviceName& name) const;
  NetworkPart radio(const DeviceName& name, bool up) const;
  // Beside a faster radio, what goes by default is no faster than the default.
  void add_default(const DeviceName& name, bool up, std::vector<NetworkPart>* parts) const;
  void add_medium(std::vector<NetworkPart>* parts) const;

  const ClusterSpec& cluster_;
  std::map<DeviceName, double> fastest_up_;  // of the links that differ from the default
  std::map<DeviceName, double> fastest_down_;
  std::map<DeviceName, double> factors_;  // of those set
  std::set<DeviceName> relayed_;
};

}  // namespace lingua
