#pragma once
// How the coordinator of a real run meets its workers: where it listens, whom it lets in, what people are told.
//
// Errors: UsageError for options that contradict.

#include <string>
#include <vector>

#include "runtime/app/audience.h"
#include "runtime/app/real_options.h"
#include "runtime/net/local_processes.h"
#include "runtime/net/net_device.h"

namespace lingua {

// The coordinator's side of these options. Of local workers it has the secret, which is in this process's
// environment from then on, for the workers that it starts.
NetOptions coordinator_net(const RealOptions& options, const Audience& audience);

// What the user does on each device, of a coordinator that listens there.
void tell_to_join(const NetOptions& net, const std::vector<DeviceName>& names,
                  const std::string& address, Seconds valid_for, const Audience& audience);

// A worker on this machine, for one run of that coordinator.
LocalProcess local_worker(const DeviceName& name, const std::string& address,
                          double loss_timeout_s);

}  // namespace lingua
