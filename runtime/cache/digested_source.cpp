#include "runtime/cache/digested_source.h"

#include <algorithm>
#include <vector>

namespace lingua {
namespace {

constexpr std::int64_t kDigested = 1 << 20;  // whole elements

}  // namespace

std::optional<Digest> DigestedSource::digest(const WeightSpec& weight) {
  const auto known = digests_.find(weight.name);
  if (known != digests_.end()) return known->second;
  Hasher hasher;
  std::vector<std::byte> piece(static_cast<std::size_t>(std::min(kDigested, weight.bytes())));
  for (std::int64_t at = 0; at < weight.bytes(); at += kDigested) {
    const std::int64_t bytes = std::min(kDigested, weight.bytes() - at);
    source_.read(weight, at, bytes, piece.data());
    hasher.update(piece.data(), static_cast<std::size_t>(bytes));
  }
  return digests_.emplace(weight.name, hasher.value()).first->second;
}

}  // namespace lingua
