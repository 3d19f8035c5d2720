#pragma once
// The wire format: messages as Protobuf control data and raw tensor frames.
//
// A message is a list of frames: the first is Protobuf (wire.proto), then the segments, programs
// and event rows of the messages that have them, then one frame of raw bytes for each tensor with
// data, in order. Little-endian, row-major. Of a Message, the body and `sent` are encoded; the
// connection over which it comes says from whom it is. Errors: decode throws InputError for
// anything malformed: unknown kinds, sizes that disagree with dtype and shape, negative or huge
// dimensions, missing frames. What it allocates is bounded by a small multiple of what the frames
// hold. Determinism: the size of a message depends on its shape (counts, names, tensors, the
// magnitude of ids), never on the tokens or times in it.

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "runtime/device/message.h"

namespace lingua {

// Programs that differ in it refuse each other when they join.
inline constexpr int kWireProtocol = 17;

// No frame may be larger, and no frame of Protobuf (they are kept small by splitting) larger than
// the second. Errors: encode refuses such a message with a WorldError.
inline constexpr std::size_t kMaxFrameBytes = std::size_t{1} << 30;
inline constexpr std::size_t kMaxControlBytes = std::size_t{1} << 20;

struct Frame {
  std::string_view bytes;  // what to send; lives as long as `owner`
  std::shared_ptr<const void> owner;
};

std::vector<Frame> encode(const Message& message);

// A tensor shares the memory of its frame where that has an owner, is large and is aligned;
// otherwise its data is copied.
Message decode(const std::vector<Frame>& frames);

// The bytes that encode(message) would send, were all tensors with data: what the simulator
// charges. About a microsecond for the messages of a step. Threads: any.
double wire_bytes(const MessageBody& body);

}  // namespace lingua
