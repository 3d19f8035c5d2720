#pragma once
// Files: read whole, and the checksums of what is in them.
//
// Errors: InputError names the path and the reason.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "runtime/base/output_file.h"
#include "runtime/base/temporary.h"

namespace lingua {

// The content of a file. A file larger than max_bytes is refused, not read.
std::string read_file(const std::filesystem::path& path, std::uint64_t max_bytes = 64ULL << 20);

// XXH3, 64 bit, of the bytes: the checksum of weights and the digest of event logs.
std::uint64_t checksum(std::string_view bytes);

// XXH3, 128 bit, as 32 hexadecimal digits: where very many must not meet by chance.
std::string checksum128(std::string_view bytes);

// checksum() over bytes that arrive in pieces.
class Checksum {
 public:
  Checksum();
  ~Checksum();
  Checksum(const Checksum&) = delete;
  Checksum& operator=(const Checksum&) = delete;
  void update(const void* data, std::size_t bytes);
  std::uint64_t value() const;

 private:
  void* state_;
};

}  // namespace lingua
