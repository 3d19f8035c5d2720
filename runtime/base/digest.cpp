#include "runtime/base/digest.h"

#include <sodium.h>

#include <algorithm>

#include "runtime/base/errors.h"

namespace lingua {

struct Hasher::State {
  crypto_generichash_state blake2b;
};

Hasher::Hasher() : state_(std::make_unique<State>()) {
  static const int ready = sodium_init();  // chooses by what the processor has
  LINGUA_CHECK(ready >= 0, "libsodium cannot be used");
  crypto_generichash_init(&state_->blake2b, nullptr, 0, std::tuple_size_v<decltype(Digest::bytes)>);
}

Hasher::~Hasher() = default;

void Hasher::update(const void* data, std::size_t bytes) {
  crypto_generichash_update(&state_->blake2b, static_cast<const unsigned char*>(data), bytes);
}

Digest Hasher::value() {
  Digest digest;
  crypto_generichash_final(&state_->blake2b, digest.bytes.data(), digest.bytes.size());
  return digest;
}

Digest digest_of(std::string_view bytes) {
  Hasher hasher;
  hasher.update(bytes.data(), bytes.size());
  return hasher.value();
}

std::string Digest::text() const {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::optional<Digest> parse_digest(std::string_view text) {
  Digest digest;
  if (text.size() != 2 * digest.bytes.size()) return std::nullopt;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) return std::nullopt;
    digest.bytes[i / 2] = static_cast<std::uint8_t>(digest.bytes[i / 2] << 4 | digit);
  }
  return digest;
}

std::optional<Digest> digest_from(std::string_view bytes) {
  Digest digest;
  if (bytes.size() != digest.bytes.size()) return std::nullopt;
  std::copy(bytes.begin(), bytes.end(), digest.bytes.begin());
  return digest;
}

}  // namespace lingua
