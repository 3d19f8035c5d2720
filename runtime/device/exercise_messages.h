#pragma once
// What is said when devices and the links between them are measured, before anything is deployed.
//
// See message.h, which has all other messages. Untrusted, as all of them: the wire format bounds counts and sizes.
// Units: seconds by the clock of who says so, bytes.

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/device/exertion.h"
#include "runtime/device/spec.h"
#include "runtime/device/tensor.h"

namespace lingua {

// The most of each that a message may ask for or say.
inline constexpr int kMostTimes = 64;
inline constexpr std::int64_t kMostBlockBytes = 4LL << 20;
inline constexpr std::int64_t kMostRepeats = 1'000'000;
inline constexpr Seconds kLongestExercise{10};

// coordinator -> device: exert yourself in this way for so long. And the answer.
struct Exercise {
  std::int64_t number = 0;  // which the answer has too
  ExertionKind kind = ExertionKind::kProducts;
  DType dtype = DType::kFloat32;
  Computing computing = {};  // nothing in it: as the device does already
  Seconds time{0};
};
struct Exercised {
  std::int64_t number = 0;
  std::vector<double> times_s;        // each of one exertion,
  std::vector<std::int64_t> repeats;  // with so many repeats
  double memory_bytes = 0;            // that there was, of an exercise of memory
  std::string trouble;                // why it cannot, in one line
};

// coordinator -> device: send another one so many blocks at once, then echoes, each when the one before is back.
struct ExerciseLink {
  std::int64_t number = 0;
  DeviceName to;
  int blocks = 0;
  std::int64_t block_bytes = 1;
  int echoes = 0;
};
// device -> device, and back.
struct Echo {
  std::int64_t number = 0;
  int index = 0;
  bool is_back = false;
};
struct Bulk {
  std::int64_t number = 0;
  int index = 0;  // of `blocks`, in order
  int blocks = 0;
  Tensor data;
};
// device -> coordinator: from who has sent the echoes, how long each took; from who has got the blocks, when each
// arrived.
struct LinkTimes {
  std::int64_t number = 0;
  DeviceName peer;
  std::vector<double> echoes_s;
  std::vector<double> arrivals_s;
  double message_bytes = 0;  // of one of them on the wire
};

}  // namespace lingua
