#pragma once
// The messages from one device to another: one stream, as over one TCP connection.
//
// Order: as sent. A message's bytes flow once its latency has passed since send() and all bytes
// before it in the stream have arrived, so the latencies of messages in a row overlap.
// Shares: streams that meet on a link share it max-min fairly, however many messages each has.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <list>

#include "runtime/device/message.h"
#include "sim/cluster/agenda.h"
#include "sim/cluster/compat.h"

namespace lingua {

class SimDevice;
class World;

class Channel final : public Scheduled {
 public:
  Channel(World& world, SimDevice& from, SimDevice& to, Seconds latency)
      : world_(world), from_(from), to_(to), latency_s_(latency.count()) {}

  // In an actor. Never blocks.
  void send(Message message);

  // The latency of the next message has passed.
  void due() override;

  // SimGrid has moved the bytes of `comm` (or given up, after cut()).
  void completed(const simgrid::s4u::Comm& comm);

  // Its path has other bandwidths from now on. SimGrid lets no transfer go faster than it could when it began,
  // so that the rest is one of its own, to the nearest byte.
  void bandwidth_changed();

  // Drops all that is under way.
  void cut();
  // The same, and all that is sent from then on.
  void close();
  // What is sent from now on arrives no sooner than its latency after `until`, by SimGrid's clock.
  void delay(double until) { delayed_until_ = std::max(delayed_until_, until); }

  const SimDevice& from() const { return from_; }
  const SimDevice& to() const { return to_; }

 private:
  void start();
  void flow(std::uint64_t bytes);
  void deliver();

  World& world_;
  SimDevice& from_;
  SimDevice& to_;
  double latency_s_;
  bool closed_ = false;
  double delayed_until_ = 0;
  std::list<Message> stream_;  // under way; the first `ready_` have paid their latency
  std::size_t ready_ = 0;
  std::size_t dropped_ = 0;     // whose latency has still to pass
  simgrid::s4u::CommPtr comm_;  // of the first message, while its bytes flow
};

}  // namespace lingua
