#pragma once
// How processes come together: the exchange before the Mailroom takes over.
//
// worker: Join -> Welcome -> Clock rounds -> waits for the Directory -> Joined.
// coordinator: connects to the inbox of whoever asks to join, and takes in (Welcome) the first of
// each name that answers there with the key of its Join; answers Clock; when all are there sends
// the Directory, which has their keys where links are secured, and waits for every Joined. Who cannot be taken in is refused, and nothing else
// happens.

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

// Answers who says who it is: takes a peer in, or refuses it and returns why. `expected`: the run has
// a device of that name, or it is not known yet which it has.
std::string take_introduction(Membership& membership, const Incoming& incoming,
                              const wire::Introduce& introduction, bool expected);

// Refuses somebody who asks to join where that cannot be: for good where a device of that name is there.
void send_away(Membership& membership, const std::string& identity, bool name_is_there,
               const DeviceName& name);
std::string name_in_use(const DeviceName& name);

// A connection to a peer's inbox.
std::unique_ptr<Connection> connect_to(const Membership& membership, const PeerAddress& peer);

// A number that strangers do not guess.
std::uint64_t random_key();

// How others reach an inbox that listens on `listen` and has this port, from the point of view of
// `towards`; `advertise`, where not empty, is the host. Errors: WorldError.
std::string advertised_address(const NetOptions& options, int port, const std::string& towards);

}  // namespace lingua::internal
