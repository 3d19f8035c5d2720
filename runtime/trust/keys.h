#pragma once
// Who a device is: a Curve25519 key pair. The public key is given away; whoever has the secret one is
// that device.
//
// As text, 32 bytes are 43 characters of base64url (RFC 4648, 5), which no shell takes apart.
// Errors: InputError names the file and what is wrong with it.

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace lingua {

inline constexpr std::size_t kKeyBytes = 32;

struct PublicKey {
  std::array<std::uint8_t, kKeyBytes> bytes{};

  std::string text() const;
  // For people to compare: "k3fa-91c0-7d2e", the first 48 bits of BLAKE2b.
  std::string fingerprint() const;
  auto operator<=>(const PublicKey&) const = default;
};

// Nothing where the text is no public key.
std::optional<PublicKey> parse_public_key(std::string_view text);
std::optional<PublicKey> public_key_of(std::string_view bytes);

// The secret half is wiped when it goes.
struct KeyPair {
  PublicKey public_key;
  std::array<std::uint8_t, kKeyBytes> secret{};

  KeyPair() = default;
  KeyPair(const KeyPair&) = default;
  KeyPair& operator=(const KeyPair&) = default;
  ~KeyPair();
};

KeyPair make_key_pair();

// Refuses a file that others can read, is cut, or holds something else.
KeyPair read_key_file(const std::filesystem::path& file);

// A file that only its owner can read. False, and nothing written, where there is one.
bool write_key_file(const std::filesystem::path& file, const KeyPair& pair);

// Bytes as text and back, as keys and tokens travel. Nothing where it is no such text.
std::string base64url(std::string_view bytes);
std::optional<std::string> from_base64url(std::string_view text);

}  // namespace lingua
