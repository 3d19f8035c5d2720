#pragma once
// The bytes of a program as they travel: a checksum before LibTorch's own format, whose reader does
// not survive every damage. It finds damage, not malice.
//
// Internal to torch/.

#include <cstdint>
#include <cstring>
#include <string>

#include "runtime/base/files.h"

namespace lingua {

inline std::string seal_program(const std::string& bytes) {
  const std::uint64_t sum = checksum(bytes);
  std::string sealed(sizeof sum, '\0');
  std::memcpy(sealed.data(), &sum, sizeof sum);
  return sealed + bytes;
}

// False when the bytes are damaged.
inline bool open_program(const std::string& sealed, std::string* bytes) {
  std::uint64_t sum = 0;
  if (sealed.size() <= sizeof sum) return false;
  std::memcpy(&sum, sealed.data(), sizeof sum);
  *bytes = sealed.substr(sizeof sum);
  return checksum(*bytes) == sum;
}

}  // namespace lingua
