#pragma once
// The part of a device that gives states of requests to others, and takes theirs.
//
// A role without I/O. What comes finds room in the ledger before the executor holds it; what does not is the
// coordinator's to hear of (StatesHeld), and ends nothing.
// Errors: WorldError for pieces that contradict the deployment, and for answers to none.

#include <list>

#include "runtime/device/device.h"
#include "runtime/engine/effects.h"
#include "runtime/engine/memory_ledger.h"
#include "runtime/engine/state_sender.h"

namespace lingua {

class StateCarrier {
 public:
  // REQUIRES: both outlive it.
  StateCarrier(MemoryLedger& ledger, Executor& executor) : ledger_(ledger), executor_(executor) {}

  // `segment` gives a segment that is held here, null for any other.
  using Lookup = std::function<const Segment*(SegmentId)>;
  void give(const SendStates& job, const Lookup& segment, Seconds now, Effects& effects);
  // REQUIRES: the epoch of the piece is ready here, and runs `segment`, its segment. `is_over`: the request has
  // ended.
  void take(const StateChunk& chunk, const DeviceName& from, const Segment& segment, bool with_data,
            bool is_over, Effects& effects);
  void take(const StateAck& ack, const DeviceName& from, Seconds now, Effects& effects);

  void go_on(Seconds now, Effects& effects);
  // When go_on() is to be called at the latest.
  Seconds next() const;

  // Nothing is given any more for an epoch, to a device, or at all.
  void retire(Epoch epoch);
  void lose(const DeviceName& device);
  void clear() { senders_.clear(); }

 private:
  std::int64_t room_for(const StateSender& sender) const;
  std::string hold(const StateChunk& chunk);

  MemoryLedger& ledger_;
  Executor& executor_;
  std::list<StateSender> senders_;
};

}  // namespace lingua
