#pragma once
// What is said when requests cross from one epoch to another with their states (KV caches).
//
// See message.h, which has all other messages. Tokens of a request are counted from its prompt's first.

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/device/spec.h"
#include "runtime/device/tensor.h"
#include "runtime/model/segment.h"

namespace lingua {

using RequestId = std::int64_t;
// Deployments of a run, counted up from 1.
using Epoch = std::int64_t;

// coordinator -> device that an epoch uses: these requests go on under another one. Their steps are dropped here;
// their states too, but for those of `kept`, which the epoch `next` has where it runs the same segments.
struct Suspend {
  Epoch epoch = 0;
  std::vector<RequestId> requests;  // all
  std::vector<RequestId> kept;      // of them
  Epoch next = 0;
};
// And the answer: nothing of these requests comes from this device under the epoch after it.
struct Suspended {
  Epoch epoch = 0;
  double free_bytes = 0;     // of memory
  double states_bytes = 0;   // of the requests that were kept
  double weights_bytes = 0;  // that no other epoch needs here
  // The header's: of the requests that it had, the first tokens, whose states every device has.
  struct Progress {
    RequestId request = 0;
    std::int64_t tokens = 0;
  };
  std::vector<Progress> progress;
};

// coordinator -> device: give the states of these tokens to a device that runs the segments under `epoch`.
struct SendStates {
  Epoch epoch = 0;
  DeviceName to;
  std::vector<SegmentId> segments;
  struct Range {
    RequestId request = 0;
    std::int64_t capacity = 0;
    std::int64_t first = 0;  // token
    std::int64_t end = 0;
  };
  std::vector<Range> ranges;
  std::int64_t chunk_bytes = 0;  // a message has no more, or the states of one token
  std::int64_t window = 0;       // so many at most are under way
  double bytes_per_s = 0;        // on average; 0: as fast as they go
};
// device -> device: the states of a segment for some tokens, one tensor for each state of the segment.
struct StateChunk {
  Epoch epoch = 0;
  RequestId request = 0;
  SegmentId segment = 0;
  std::int64_t capacity = 0;
  std::int64_t first = 0;  // token
  std::int64_t tokens = 0;
  std::vector<Tensor> states;
  bool last = false;  // that this device has of the request
};
struct StateAck {
  Epoch epoch = 0;
  RequestId request = 0;
  SegmentId segment = 0;
  std::int64_t first = 0;
};
// device -> coordinator: all that `from` had of this request has come; or why it will not, in one line.
struct StatesHeld {
  Epoch epoch = 0;
  DeviceName from;
  RequestId request = 0;
  std::string trouble;
};

}  // namespace lingua
