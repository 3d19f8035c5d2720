#include "runtime/cache/read_ahead.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace lingua {
namespace {

constexpr std::int64_t kPiece = 1 << 20;  // whole elements of any dtype

}  // namespace

std::vector<std::byte> ReadAhead::piece_of(const WeightSpec& weight, std::int64_t offset) {
  const std::int64_t bytes = std::min(kPiece, weight.bytes() - offset);
  std::vector<std::byte> piece(static_cast<std::size_t>(bytes));
  const std::lock_guard lock(mutex_);
  source_.read(weight, offset, bytes, piece.data());
  return piece;
}

void ReadAhead::advance(const WeightSpec& weight, Stream& stream) {
  std::vector<std::byte> piece =
      stream.next.valid() ? stream.next.get() : piece_of(weight, stream.at);
  stream.piece = std::move(piece);
  stream.piece_at = stream.at;
  const std::int64_t end = stream.piece_at + static_cast<std::int64_t>(stream.piece.size());
  if (end == weight.bytes()) return;
  stream.next =
      std::async(std::launch::async, [this, weight, end] { return piece_of(weight, end); });
}

void ReadAhead::read(const WeightSpec& weight, std::int64_t offset, std::int64_t bytes,
                     std::byte* out) {
  const std::int64_t end = offset + bytes;
  const auto known = streams_.find(weight.name);
  const bool follows = offset == (known == streams_.end() ? 0 : known->second.at);
  if (!follows || (offset == 0 && end == weight.bytes())) {
    const std::lock_guard lock(mutex_);
    source_.read(weight, offset, bytes, out);
    return;
  }
  Stream& stream = streams_[weight.name];
  while (stream.at < end) {
    const auto held = static_cast<std::int64_t>(stream.piece.size());
    if (stream.at == stream.piece_at + held) advance(weight, stream);
    const std::int64_t from = stream.at - stream.piece_at;
    const std::int64_t size =
        std::min(static_cast<std::int64_t>(stream.piece.size()) - from, end - stream.at);
    std::memcpy(out, stream.piece.data() + from, static_cast<std::size_t>(size));
    out += size;
    stream.at += size;
  }
  if (end == weight.bytes()) streams_.erase(weight.name);
}

std::string ReadAhead::program(const Segment& segment) {
  const std::lock_guard lock(mutex_);
  return source_.program(segment);
}

}  // namespace lingua
