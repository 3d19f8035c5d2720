#pragma once
// How a deployment's devices order their work: what an experiment varies. schedule/ says what comes of it.
//
// A plain value. The defaults are the paper's.

#include <cstdint>

namespace lingua {

enum class Policy : std::uint8_t {
  kFifo,           // the step that has been ready for longest
  kDecodeFirst,    // steps of one token after others before prompts; among each, as kFifo
  kShortestFirst,  // the request that has the fewest tokens left until its capacity
};

inline constexpr int kAutoBatch = 0;
inline constexpr std::int64_t kWholePrompts = 0;
inline constexpr std::int64_t kAutoChunk = -1;

struct Scheduling {
  Policy policy = Policy::kFifo;
  int max_batch = 1;  // steps of different requests that a device runs as one; or kAutoBatch
  std::int64_t chunk =
      kWholePrompts;  // tokens at most that one step takes of a prompt; or kAutoChunk

  bool operator==(const Scheduling&) const = default;
};

}  // namespace lingua
