#pragma once
// The wire format: messages as Protobuf control data and raw tensor frames.
//
// A message is a list of frames: the first is Protobuf (wire.proto), then one frame of raw bytes for
// each tensor with data, in order. Little-endian, row-major.
// Errors: decode throws InputError for anything malformed: unknown kinds, sizes that disagree with
// dtype and shape, negative or huge dimensions, missing frames. It allocates no more than the frames
// hold.

#include <string>
#include <string_view>
#include <vector>

#include "runtime/device/message.h"

namespace lingua {

struct Frame {
  std::string_view bytes;               // what to send; lives as long as `owner`
  std::shared_ptr<const void> owner;
};

std::vector<Frame> encode(const Message& message);

// `frames` are copied from where a tensor needs its data to outlive them.
Message decode(const std::vector<Frame>& frames);

// The bytes that encode(message) would send, were all tensors with data: what the simulator charges.
double wire_bytes(const MessageBody& body);

}  // namespace lingua
