#pragma once
// What of a device's memory is given away: weights, the states (KV caches) of requests, and the
// activations of the steps that run. Everything is asked for before it is taken.
//
// Who names a capacity or a step is a peer: nothing is allocated on its word that the device does not
// have. A plan counts the same (plan/run_memory.h); all worlds count here, and refuse with these words.
// Units: bytes. Errors: WorldError for weights, RequestRefused for what a request asks, with what is left.

#include <map>
#include <set>
#include <vector>

#include "runtime/device/message.h"

namespace lingua {

class MemoryLedger {
 public:
  explicit MemoryLedger(double memory_bytes) : memory_bytes_(memory_bytes) {}

  // All weights together take so much from now on. Refused when that is not there beside the states and
  // what steps that were admitted will take; then what was held counts on.
  void hold_weights(double bytes);

  // The segments that run here under an epoch, and their end, with the states of its requests.
  // REQUIRES: open() once per epoch, before its steps.
  void open(Epoch epoch, const std::vector<const Segment*>& running);
  void close(Epoch epoch);

  // A step of a request. The first one takes the memory of its states, as far as they are not here; every one
  // must find room for its activations beside weights and all states, which is kept for it until it ends. Also
  // refused: a step of no tokens, a capacity that changes, or that the step goes beyond, and a first step after
  // tokens whose states are not here. Capacity 0, of a single pass, has no states. Returns the bytes of its activations: steps that run as one must find room for the sum
  // (schedule/).
  double admit(Epoch epoch, RequestId request, const Step& step, std::int64_t capacity);
  // A step has run, or never will. `activation_bytes`: as admit() gave them. REQUIRES: the epoch is open.
  void end_step(Epoch epoch, double activation_bytes);
  // The states of a request in one segment come from elsewhere, under an epoch that runs it.
  void hold_states(Epoch epoch, RequestId request, SegmentId segment, std::int64_t capacity);
  // The states that are here are those of another epoch too, as far as that runs their segments.
  void share(RequestId request, Epoch with);
  void release(RequestId request);
  // An epoch has nothing of a request any more. Returns the segments whose states go, since no other epoch that
  // has the request runs them.
  std::vector<SegmentId> leave(RequestId request, Epoch epoch);
  // Those that have states under an epoch.
  std::vector<RequestId> requests_of(Epoch epoch) const;
  bool has_states(RequestId request, SegmentId segment) const;
  double states_bytes_of(RequestId request) const;

  double states_bytes() const { return states_bytes_; }
  double bytes_beside_weights() const { return memory_bytes_ - weights_bytes_; }
  double free_bytes() const { return memory_bytes_ - weights_bytes_ - states_bytes_; }

 private:
  struct Stage {
    std::vector<Segment> running;  // without weights
    bool has_states = false;
    std::multiset<double> steps;  // the activations of those that have not ended
    bool runs(SegmentId segment) const;
  };
  struct Request {
    std::int64_t capacity = 0;
    std::map<SegmentId, double> states;  // bytes
    std::set<Epoch> epochs;
  };

  // Steps run one after the other, or as one where there is room: so much at least must stay free.
  double largest_step() const;
  void admit_states(const Stage& stage, Epoch epoch, RequestId request, const Step& step,
                    std::int64_t capacity);
  void take_states(Epoch epoch, RequestId request, const std::vector<const Segment*>& segments,
                   std::int64_t capacity);

  double memory_bytes_;
  double weights_bytes_ = 0;
  double states_bytes_ = 0;
  std::map<Epoch, Stage> stages_;
  std::map<RequestId, Request> requests_;  // that hold states
};

}  // namespace lingua
