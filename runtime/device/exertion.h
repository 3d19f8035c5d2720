#pragma once
// Work that every device can do without a model, to find out how fast it is.
//
// Plain values. An executor does it (device.h), the engine times it by the device's clock (engine/exercise.h).
// Units: FLOPs, bytes.

#include <cstdint>

#include "runtime/model/graph.h"

namespace lingua {

struct Work {
  double flops = 0;
  double bytes = 0;
};

enum class ExertionKind : std::uint8_t {
  kProducts,  // of matrices of weights in turn, together larger than caches are, with a prompt's rows
  kWeights,   // of a matrix of weights, larger than caches are, with one row, as a token's
  kSegments,  // as many operations as a decoder's layer has, on next to nothing
  kMemory,    // memory is taken, written to and kept until the next exertion of another kind
};
inline constexpr int kExertionKinds = 4;

struct Exertion {
  ExertionKind kind = ExertionKind::kProducts;
  DType dtype = DType::kFloat32;  // of the weights; float32, bfloat16 or int8
  std::int64_t repeats = 1;       // so many times; of memory, so many blocks
  bool operator==(const Exertion&) const = default;
};

// Shapes of the matrices, and the bytes of a block.
inline constexpr std::int64_t kProductRows = 64;
inline constexpr std::int64_t kProductWidth = 1024;
inline constexpr std::int64_t kProductHeight = 1024;
inline constexpr std::int64_t kProductMatrices = 16;
inline constexpr std::int64_t kReadWidth = 4096;
inline constexpr std::int64_t kReadHeight = 8192;
inline constexpr std::int64_t kMemoryBlock = 32LL << 20;

// What an exertion computes; of memory, the bytes that it takes; of segments, nothing.
Work work_of(const Exertion& exertion);

}  // namespace lingua
