#pragma once
// A cluster as SimGrid sees it: hosts, links and routes.
//
// Each part of the network (device/network_layout.h) is a link; a route has those that the layout names.
// Links have no latency here: the channel pays it before the bytes flow.
// Size: at most four links a device and one for each pair that the cluster names.

#include <map>
#include <string>
#include <vector>

#include "runtime/device/network_layout.h"
#include "runtime/device/spec.h"
#include "sim/cluster/compat.h"

namespace lingua {

// What the simulator runs the coordinator on: it computes nothing that is charged.
DeviceSpec coordinator_spec();

class Platform {
 public:
  // REQUIRES: the cluster outlives it.
  Platform(simgrid::s4u::Engine& engine, const ClusterSpec& cluster);
  Platform(const Platform&) = delete;
  Platform& operator=(const Platform&) = delete;

  // In the order of cluster.devices, and the coordinator's at the end.
  const std::vector<simgrid::s4u::Host*>& hosts() const { return hosts_; }

  // A device's links have so many times the cluster's bandwidth from now on, for what is under way too.
  void set_bandwidth(const DeviceName& device, double factor);

 private:
  void add_host(const DeviceSpec& device);
  void check_links() const;
  std::vector<simgrid::s4u::LinkInRoute> route(const std::vector<NetworkPart>& parts);
  void change(const std::vector<NetworkPart>& parts);

  const ClusterSpec& cluster_;
  NetworkLayout layout_;
  simgrid::s4u::NetZone& zone_;
  std::vector<simgrid::s4u::Host*> hosts_;
  std::map<DeviceName, simgrid::s4u::Host*> host_of_;
  std::map<std::string, simgrid::s4u::Link*> links_;  // by the part's name
};

}  // namespace lingua
