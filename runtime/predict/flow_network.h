#pragma once
// How transfers that are under way at once share a cluster's radios, links and medium.
//
// Rates are max-min fair over the parts of the network that each flow uses (device/network_layout.h).
// Units: bytes, seconds. Determinism: rates depend on the set of flows alone.
// Source: max-min fairness by progressive filling, Bertsekas and Gallager, Data Networks, 6.5.2.

#include <map>
#include <string>
#include <vector>

#include "runtime/device/network_layout.h"

namespace lingua {

class FlowNetwork {
 public:
  explicit FlowNetwork(const ClusterSpec& cluster) : layout_(cluster) {}

  // A way from one device (or the coordinator) to another, on which at most one flow runs at a time.
  // REQUIRES: from != to; the cluster has a link from one to the other.
  int add_way(const DeviceName& from, const DeviceName& to);

  // Ways whose flow got another rate in the last begin(), end() or set_bandwidth(), with when each will be done.
  struct Change {
    int way = 0;
    double done_s = 0;
  };
  const std::vector<Change>& begin(int way, double bytes, double now_s);
  const std::vector<Change>& end(int way, double now_s);
  // The device's links have another bandwidth from now on, as NetworkLayout::set_bandwidth() says.
  const std::vector<Change>& set_bandwidth(const DeviceName& device, double factor, double now_s);

 private:
  struct Link {
    double bytes_per_s = 0;
    int flows = 0;
    double free_bytes_per_s = 0;  // while shares are found
    int open_flows = 0;
  };
  struct Way {
    DeviceName from;
    DeviceName to;
    std::vector<int> links;
    bool active = false;
    bool settled = false;
    double rate = 0;
    double left_bytes = 0;
    double since_s = 0;
  };

  void share(double now_s);
  void settle(Way& way, double rate, double now_s, int index);

  NetworkLayout layout_;
  std::map<std::string, int> link_by_name_;  // of the parts that ways use
  std::vector<Link> links_;
  std::vector<int> used_;  // links that have flows, ascending
  std::vector<Way> ways_;
  std::vector<int> active_;
  std::vector<Change> changes_;
};

}  // namespace lingua
