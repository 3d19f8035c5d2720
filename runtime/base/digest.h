#pragma once
// What bytes are called by: BLAKE2b of 256 bits (RFC 7693). Whoever has a digest can tell whether bytes are the
// ones that are meant, whoever they come from.
//
// Threads: a Hasher is used by one at a time.

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace lingua {

struct Digest {
  std::array<std::uint8_t, 32> bytes{};

  std::string text() const;  // 64 hexadecimal digits
  auto operator<=>(const Digest&) const = default;
};

// Nothing where the text is none of Digest::text(), or the bytes are not as many.
std::optional<Digest> parse_digest(std::string_view text);
std::optional<Digest> digest_from(std::string_view bytes);

// Over bytes that come in pieces.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(const Hasher&) = delete;
  Hasher& operator=(const Hasher&) = delete;
  void update(const void* data, std::size_t bytes);
  // REQUIRES: called once, last.
  Digest value();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Digest digest_of(std::string_view bytes);

}  // namespace lingua
