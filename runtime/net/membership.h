#pragma once
// What a process holds once it has joined: its peers, and its sockets.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/net/connection.h"
#include "runtime/net/guard.h"
#include "runtime/net/sockets.h"

namespace lingua::internal {

// Everything that a process holds once it has joined.
struct Membership {
  // Who sent a message; empty: a stranger. Where links are secured its key says so each time.
  DeviceName sender(const Incoming& incoming) const;
  // Whether a message comes from the key that the device has; true where links are not secured.
  bool has_key_of(const DeviceName& name, const Incoming& incoming) const;
  // It is no peer any more: what still comes from it is a stranger's.
  void forget(const DeviceName& name);

  DeviceName self;
  std::uint64_t key = 0;  // that peers must quote to this inbox
  NetOptions options;
  std::optional<RunClock> clock;
  std::map<DeviceName, PeerAddress> peers;
  // Destroyed in the reverse order.
  std::unique_ptr<zmq::context_t> context;
  std::unique_ptr<Guard> guard;  // none where links are not secured
  std::unique_ptr<Inbox> inbox;
  std::map<DeviceName, std::unique_ptr<Connection>> connections;
  std::map<std::string, DeviceName>
      identities;               // who is at the other end of the inbox's connections
  std::vector<Incoming> early;  // messages that came while joining
};

}  // namespace lingua::internal
