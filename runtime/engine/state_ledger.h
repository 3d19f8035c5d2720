#pragma once
// What the states (KV caches) of requests take of a device's memory, asked before they are made.
//
// Who names a capacity is a peer: nothing is allocated on its word that the device does not have.
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
  // is what the device has beside everything but states. Also refused: a capacity that changes, or
  // that the step goes beyond. Capacity 0, of a single pass, takes nothing.
  void admit(RequestId request, const Step& step, std::int64_t capacity, double free_bytes);

  void release(RequestId request) { capacities_.erase(request); }
  double bytes() const;  // held

 private:
  double bytes_of(std::int64_t capacity) const;

  std::vector<StateSpec> states_;
  std::map<RequestId, std::int64_t> capacities_;
};

}  // namespace lingua
