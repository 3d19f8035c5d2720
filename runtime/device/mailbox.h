#pragma once
// What the coordinator and clients have of a world: a clock, and messages to and from others.
//
// Threads: a Mailbox belongs to the one thread (or actor) that runs its loop.
// Order: send() keeps the order per pair of devices.
// Errors: the loss of a peer arrives as a PeerLost message, never as an exception. send() to a name
// that the cluster does not have throws (a WorldError where another machine may have said it); to a lost
// peer it does nothing.
// Contract: tests/contract/ runs one suite on every implementation.

#include <optional>

#include "runtime/base/units.h"
#include "runtime/device/message.h"

namespace lingua {

// A deadline that never comes.
inline constexpr Seconds kNever{1e18};

class Mailbox {
 public:
  virtual ~Mailbox() = default;

  // Under which others send to it.
  virtual const DeviceName& name() const = 0;

  // Seconds since the run began; the same origin on all devices of a run.
  virtual Seconds now() = 0;

  // Hands a message over and returns at once. Fills in from and sent.
  virtual void send(const DeviceName& to, MessageBody body) = 0;

  // The next message, or nothing when the clock reaches the deadline first.
  virtual std::optional<Message> receive(Seconds deadline) = 0;
};

}  // namespace lingua
