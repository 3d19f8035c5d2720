#pragma once
// What requests take of a device's memory beside the weights, asked before it is taken: their states (KV
// caches), and the activations of the step that takes most.
//
// Who names a capacity or a step is a peer: nothing is allocated on its word that the device does not
// have. A plan counts the same (plan/run_memory.h).
// Units: bytes. Errors: WorldError with the request, what it asks for and what is left.

#include <map>
#include <vector>

#include "runtime/device/message.h"

namespace lingua {

class StateLedger {
 public:
  // Of the segments that run here. Nothing is held any more.
  void reset(const std::vector<const Segment*>& running);

  // A step of a request. The first one takes the memory of its states out of `free_bytes`, which
  // is what the device has beside its weights; every one must find room for its activations beside all
  // states. Also refused: a step of no tokens, a capacity that changes, or that the step goes beyond.
  // Capacity 0, of a single pass, has no states.
  void admit(RequestId request, const Step& step, std::int64_t capacity, double free_bytes);

  void release(RequestId request) { capacities_.erase(request); }
  double bytes() const;  // of states, held

 private:
  double bytes_of(std::int64_t capacity) const;
  void admit_states(RequestId request, const Step& step, std::int64_t capacity, double free_bytes);

  std::vector<StateSpec> states_;
  std::vector<Segment> running_;  // without weights
  std::map<RequestId, std::int64_t> capacities_;
};

}  // namespace lingua
