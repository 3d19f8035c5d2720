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

// coordinator -> device that an epoch uses: this request goes on under another one. Its steps are dropped here; its
// states too, as far as no other epoch has them, but where `keep`: then the epoch `next` has those of segments that
// it runs here as well, and the others stay until this is said again without.
struct Suspend {
  Epoch epoch = 0;
  RequestId request = 0;
  bool keep = false;
  Epoch next = 0;
};
// And the answer: nothing of the request comes from this device under the epoch after it.
struct Suspended {
  Epoch epoch = 0;
  RequestId request = 0;
  std::int64_t cached = 0;  // the header's: its first tokens, whose states every device has
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
  // The requests run on meanwhile: such jobs to the same device share the window.
  bool beside = false;
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
