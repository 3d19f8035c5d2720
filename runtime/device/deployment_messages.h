#pragma once
// What the coordinator and a device say to each other until the device is ready to run its part of a plan.
//
// See message.h, which has all other messages.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "runtime/base/digest.h"
#include "runtime/device/communication.h"
#include "runtime/device/scheduling.h"
#include "runtime/device/spec.h"
#include "runtime/device/state_messages.h"
#include "runtime/device/tensor.h"
#include "runtime/model/segment.h"

namespace lingua {

// Where a value goes after the segment that makes it.
struct Route {
  ValueId value = -1;
  std::vector<DeviceName> to;  // never the device that makes it
};

// Segments first .. last.
struct SegmentRun {
  SegmentId first = 0;
  SegmentId last = 0;
};

// What the plan takes a device for, so that it can say how it compares.
struct Measuring {
  Seconds every{0};  // a WorkReport at most so often; 0: none
  double flops_per_s = 0;
  double memory_bytes_per_s = 0;
  Seconds overhead{0};
  bool operator==(const Measuring&) const = default;
};

// coordinator -> device: the part of a plan that this device carries out. It stands beside what runs
// already under other epochs.
struct Prepare {
  Epoch epoch = 0;
  std::vector<Segment> segments;  // to store, in model order
  // To run, ascending: one; two on a header that keeps the last segments too; none: it only stores.
  std::vector<SegmentRun> runs;
  bool has_data = false;      // programs and tensors have contents; false in simulations
  std::vector<Route> routes;  // of every value that this device sends
  // Of values in the routes that it neither makes nor uses: it passes them on, as they come.
  std::vector<TensorSpec> passing;
  std::vector<DeviceName> senders;  // who sends it tensors; what others send is nonsense
  std::vector<TensorSpec> model_inputs;
  std::vector<ValueId> model_outputs;
  DeviceName header;
  DeviceName tailer;
  Computing computing = {};  // nothing in it: as the device does already
  // digest_of the segmentation that these segments are of; empty: not known. A device has a part of
  // it only, so this is for people who compare what devices say.
  std::string segmentation;
  Scheduling scheduling;
  Communication communication;
  int stages = 1;  // of the plan
  // Nothing of earlier epochs runs any more, and what only they needed goes first: states, steps, weights.
  bool replaces_all = false;
  // Of weights by name, as far as they are known: what a device has kept of earlier runs it need not be sent.
  std::map<std::string, Digest> digests;
  Measuring measuring = {};
};

// device -> coordinator, the answer: what it does not hold of that, and nothing else is sent to it.
struct Lacks {
  Epoch epoch = 0;
  std::vector<SegmentId> programs;   // ascending; none where the deployment has no data
  std::vector<std::string> weights;  // in the order of their first use, each once
};

// coordinator -> device: lite-interpreter bytes of one segment.
struct SegmentProgram {
  Epoch epoch = 0;
  SegmentId segment = 0;
  std::string program;
};

// coordinator or device -> device: a piece of a weight, in order, and the answer to it, which lets the
// sender send the next one: no more than a window of pieces is ever under way.
struct WeightChunk {
  Epoch epoch = 0;
  std::string weight;
  std::int64_t offset = 0;
  Tensor bytes;                // uint8, one-dimensional
  std::uint64_t checksum = 0;  // of the whole weight, in its last piece (0 without data)
};
struct WeightAck {
  Epoch epoch = 0;
  std::string weight;
  std::int64_t offset = 0;
};

// coordinator -> device: give these weights to a device that lacks them for an epoch, by WeightChunk; no others any
// more to the same.
struct SendWeights {
  Epoch epoch = 0;
  DeviceName to;
  std::vector<std::string> weights;
  std::int64_t chunk_bytes = 0;  // a message has no more until answers come soon
  std::int64_t window = 0;       // so many of these at most are under way
  double bytes_per_s = 0;        // on average; 0: as fast as they go
};

// device -> coordinator: so much of a weight has come from another device; or why no more is taken from that one,
// in one line.
struct WeightHeld {
  Epoch epoch = 0;
  DeviceName from;
  std::string weight;
  std::int64_t bytes = 0;
  std::string trouble;
};

// device -> coordinator: all weights are there and every program is loaded; so much memory is there
// beside all weights, for states and activations.
struct Ready {
  Epoch epoch = 0;
  double free_bytes = 0;
};

// coordinator -> device: no request needs this epoch any more; what only it needed can go.
struct Retire {
  Epoch epoch = 0;
};

// device -> coordinator: it cannot go on, and why, in one line.
struct Failed {
  Epoch epoch = 0;
  std::string reason;
};

}  // namespace lingua
