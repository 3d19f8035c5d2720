#pragma once
// A network slower than the one that messages really go over, which says how long it would have them.
//
// A mailroom that has one tells it of each message that it sends, and gives those that come from peers to its
// reader no sooner than this network would. What the transport says for itself (joining, clocks, signs of
// life) goes at once.
// Order: arrivals of a pair are in the order in which its messages were sent.
// Threads: any.

#include <chrono>
#include <optional>

#include "runtime/device/spec.h"

namespace lingua {

class SlowNetwork {
 public:
  using Clock = std::chrono::steady_clock;

  virtual ~SlowNetwork() = default;

  // This process sends a message of so many bytes now. Called before the message really goes.
  virtual void send(const DeviceName& to, double bytes) = 0;

  // Takes the next message from a peer, which is really here since `came`, if it has arrived on this network
  // too: when, never before `came`. Nothing while it is under way.
  virtual std::optional<Clock::time_point> take_arrival(const DeviceName& from,
                                                        Clock::time_point came) = 0;

  // When to ask again, if nothing else is sent meanwhile; max() while nothing is under way.
  virtual Clock::time_point next_look() = 0;
};

}  // namespace lingua
