#pragma once
// A cluster as SimGrid sees it: hosts, links and routes.
//
// Each device's radio is its own: one link up and one down, as fast as the fastest path that uses
// it, shared by the device's flows. A pair with a link of its own in the cluster has that link
// between the two radios; other flows of a device share its default link up and down. The shared
// medium, if there is one, is part of every route.
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
