#pragma once
// How a deployment's devices send each other tensors: what an experiment varies.
//
// A plain value. The defaults change no token: tensors travel as they are computed, by the shortest way.

#include <cstdint>

namespace lingua {

// What float32 activations travel as, and as int8 bfloat16 ones too; the receiver computes with their own
// type again. Tensors of other types, plain numbers and the model's outputs travel as they are.
enum class WireType : std::uint8_t {
  kAsComputed,  // float32
  kBFloat16,    // rounded to the nearest, ties to even
  kInt8,        // each row (last dimension) by a scale of its own, see wire_tensors.h
};

// How a value reaches a stage that is not the next.
enum class ResidualPath : std::uint8_t {
  kDirect,  // from the device that makes it
  kRelay,   // through every stage between, with what that stage sends (the paper's baseline)
};

struct Communication {
  WireType wire = WireType::kAsComputed;
  ResidualPath residuals = ResidualPath::kDirect;
  // Small messages that a batch's steps have for one device travel as one (Together).
  bool share_frames = true;

  bool operator==(const Communication&) const = default;
};

// The contents of a message that may share a frame with others, in bytes at most.
inline constexpr double kMostSharedBytes = 65536;

}  // namespace lingua
