#pragma once
// How processes come together: the exchange before the Mailroom takes over.
//
// worker: Join -> Clock rounds -> waits for the Directory -> Joined.
// coordinator: answers Clock, connects to each worker's inbox, and when all are there sends the
// Directory and waits for every Joined.

#include <functional>
#include <memory>

#include "runtime/net/sockets.h"

namespace lingua::internal {

// Waits until all named devices have joined; adds them to the membership. See
// NetCoordinator::wait_for.
std::vector<DeviceSpec> gather(Membership& membership, const std::vector<DeviceName>& names,
                               const std::function<void()>& alive);

// Joins as a worker. See join_as_worker.
Membership join(const NetWorkerOptions& options);

// A number that strangers do not guess.
std::uint64_t random_key();

// How others reach an inbox that listens on options.listen, from the point of view of `towards`.
std::string advertised_address(const NetOptions& options, int port, const std::string& towards);

}  // namespace lingua::internal
