#pragma once
// A cluster as SimGrid sees it: hosts, links and routes.
//
// Each part of the network (device/network_layout.h) is a link; a route has those that the layout names.
// Links have no latency here: the channel pays it before the bytes flow.
// Size: at most four links a device and one for each pair that the cluster names.

#include <vector>

#include "runtime/device/spec.h"
#include "sim/cluster/compat.h"

namespace lingua {

// What the simulator runs the coordinator on: it computes nothing that is charged.
DeviceSpec coordinator_spec();

// Hosts in the order of cluster.devices, and the coordinator's at the end.
std::vector<simgrid::s4u::Host*> build_platform(simgrid::s4u::Engine& engine,
                                                const ClusterSpec& cluster);

}  // namespace lingua
