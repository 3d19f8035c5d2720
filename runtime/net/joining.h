#pragma once
// How processes come together.
//
// worker: Join -> Welcome -> Clock rounds -> waits for the Directory -> Joined.
// coordinator: connects to the inbox of whoever asks to join, and takes in (Welcome) the first of each name that
// answers there with the key of its Join, or else by the connection of its Join (reception.h); answers Clock. Before the run: when all are there it sends the Directory,
// which has their keys where links are secured, and waits for every Joined. In the middle of it: the new one gets
// the Directory of those that are there; when it has joined, they get one with it, and when they have confirmed that
// too it is in. Who cannot be taken in is refused, and nothing else happens.

#include <functional>
#include <memory>

#include "runtime/net/membership.h"
#include "runtime/net/net_device.h"
#include "runtime/net/reception.h"

namespace lingua::internal {

// Waits until so many of those that the reception has a place for have joined, and suffice; adds them to the
// membership. See NetCoordinator::wait_for.
std::vector<DeviceSpec> gather(Membership& membership, Reception& reception, std::size_t at_least,
                               const NetCoordinator::Suffice& suffice,
                               const std::function<void()>& alive);

// Joins as a worker. See join_as_worker.
Membership join(const NetWorkerOptions& options);

// Answers who says who it is: takes a peer in, or refuses it and returns why. `expected`: the run has
// a device of that name, or it is not known yet which it has.
std::string take_introduction(Membership& membership, const Incoming& incoming,
                              const wire::Introduce& introduction, bool expected);

// The coordinator's answers to one that joins. `wait`: for how long it shall wait for the directory.
void send_welcome(const Membership& membership, const Reception::Guest& guest, Seconds wait);
void answer_clock(const Membership& membership, const std::string& identity,
                  const wire::Clock& question);
wire::Envelope directory_of(const std::map<DeviceName, PeerAddress>& peers);

// The peers that a directory has, but for this process. The guard lets them pass from now on.
// Errors: WorldError for what cannot be.
std::map<DeviceName, PeerAddress> take_directory(Membership& membership,
                                                 const wire::Directory& directory);

// A worker's answer to somebody who asks to join.
void send_away(const Membership& membership, const std::string& identity);
std::string name_in_use(const DeviceName& name);

// What the first message to a peer says.
wire::Envelope introduction_to(const Membership& membership, const PeerAddress& peer);
// A connection to a peer's inbox.
std::unique_ptr<OwnConnection> connect_to(const Membership& membership, const PeerAddress& peer);

// A number that strangers do not guess.
std::uint64_t random_key();

// How others reach an inbox that listens on `listen` and has this port, from the point of view of
// `towards`; `advertise`, where not empty, is the host. Errors: WorldError.
std::string advertised_address(const NetOptions& options, int port, const std::string& towards);

}  // namespace lingua::internal
