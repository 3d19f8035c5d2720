// Messages as a broken or hostile peer would send them: decode must refuse or accept, and never crash.

#include <gtest/gtest.h>

#include <algorithm>

#include "runtime/base/errors.h"
#include "runtime/base/random.h"
#include "runtime/net/wire.h"
#include "tests/net/samples.h"

namespace lingua {
namespace {

constexpr int kMutationsPerMessage = 4000;

using Bytes = std::vector<std::string>;

Bytes sample_frames(const MessageBody& body) {
  Message message;
  message.body = body;
  Bytes all;
  for (const Frame& frame : encode(message)) all.emplace_back(frame.bytes);
  return all;
}

void mutate_bytes(std::string& bytes, Rng& rng) {
  switch (rng.below(5)) {
    case 0: bytes.resize(rng.below(bytes.size() + 1)); return;
    case 1:
      bytes.insert(rng.below(bytes.size() + 1), 1 + rng.below(9), static_cast<char>(rng.next()));
      return;
    case 2:
      if (!bytes.empty()) bytes.erase(rng.below(bytes.size()), 1 + rng.below(9));
      return;
    case 3:  // a varint of many digits
      for (int i = 0; i < 9 && !bytes.empty(); ++i) {
        bytes[rng.below(bytes.size())] = static_cast<char>(0xff - rng.below(2));
      }
      return;
    default:
      if (!bytes.empty()) bytes[rng.below(bytes.size())] ^= static_cast<char>(1U << rng.below(8));
      return;
  }
}

void mutate(Bytes& frames, Rng& rng) {
  switch (rng.below(8)) {
    case 0: frames.erase(frames.begin() + static_cast<long>(rng.below(frames.size()))); return;
    case 1: frames.push_back(frames[rng.below(frames.size())]); return;
    case 2: std::swap(frames[rng.below(frames.size())], frames[rng.below(frames.size())]); return;
    default: mutate_bytes(frames[rng.below(2) == 0 ? 0 : rng.below(frames.size())], rng); return;
  }
}

struct Counts {
  int accepted = 0;
  int refused = 0;
};

void try_decode(const Bytes& bytes, Counts& counts) {
  std::vector<Frame> frames;
  for (const std::string& frame : bytes) frames.push_back({frame, nullptr});
  try {
    const Message message = decode(frames);
    EXPECT_GT(wire_bytes(message.body), 0);  // what was accepted can be measured
    ++counts.accepted;
  } catch (const InputError&) {
    ++counts.refused;
  }
}

TEST(WireCorruption, MutatedMessagesAreRefusedOrValid) {
  const std::uint64_t seed = 20260101;
  RecordProperty("seed", std::to_string(seed));
  Rng rng(seed);
  Counts counts;
  for (const MessageBody& body : sample_bodies()) {
    const Bytes whole = sample_frames(body);
    const int rounds = std::holds_alternative<Events>(body) ? 200 : kMutationsPerMessage;
    for (int i = 0; i < rounds; ++i) {
      Bytes frames = whole;
      const std::uint64_t mutations = 1 + rng.below(3);
      for (std::uint64_t k = 0; k < mutations && !frames.empty(); ++k) mutate(frames, rng);
      try_decode(frames, counts);
    }
  }
  EXPECT_GT(counts.refused, 10000);
  EXPECT_GT(counts.accepted, 1000);
}

TEST(WireCorruption, EveryTruncationOfTheControlFrameIsRefusedOrValid) {
  Counts counts;
  for (const MessageBody& body : sample_bodies()) {
    if (std::holds_alternative<Events>(body)) continue;
    Bytes frames = sample_frames(body);
    const std::string whole = frames[0];
    for (std::size_t size = 0; size < whole.size(); ++size) {
      frames[0] = whole.substr(0, size);
      try_decode(frames, counts);
    }
  }
  EXPECT_GT(counts.refused, 100);
}

TEST(WireCorruption, RandomBytesAreRefused) {
  Rng rng(7);
  Counts counts;
  for (int i = 0; i < 20000; ++i) {
    Bytes frames(1 + rng.below(3));
    for (std::string& frame : frames) {
      frame.resize(rng.below(64));
      for (char& c : frame) c = static_cast<char>(rng.next());
    }
    try_decode(frames, counts);
  }
  EXPECT_GT(counts.refused, 19000);
}

TEST(WireCorruption, AControlFrameTooLargeIsRefusedUnread) {
  Counts counts;
  try_decode({std::string(kMaxControlBytes + 1, '\0')}, counts);
  EXPECT_EQ(counts.refused, 1);
}

// The densest attack: two bytes for each message that decoding must make.
TEST(WireCorruption, ManyEmptyEntriesAreRefusedOrValid) {
  Counts counts;
  for (char field = 1; field < 16; ++field) {
    std::string entries;
    while (entries.size() < kMaxControlBytes / 2) {
      entries += static_cast<char>(field << 3 | 2);
      entries += '\0';
    }
    Bytes frames = sample_frames(sample_prepare());
    frames[1] = entries;
    try_decode(frames, counts);
  }
  EXPECT_EQ(counts.accepted + counts.refused, 15);
}

}  // namespace
}  // namespace lingua
