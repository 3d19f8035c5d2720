#include "runtime/base/files.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <system_error>

#include "runtime/base/errors.h"

namespace lingua {

namespace fs = std::filesystem;

std::string read_file(const fs::path& path, std::uint64_t max_bytes) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    throw InputError(fmt::format("{}: is a folder; a file is needed", path.string()));
  }
  std::ifstream in(path, std::ios::binary);
  if (!in) throw InputError(fmt::format("{}: {}", path.string(), std::strerror(errno)));
  const auto check_size = [&](std::uintmax_t size) {
    if (size <= max_bytes) return;
    throw InputError(
        fmt::format("{}: larger than {} bytes; at most that is read", path.string(), max_bytes));
  };
  if (const auto size = fs::file_size(path, error); !error) check_size(size);
  std::string content;
  char buffer[1 << 16];
  while (in.read(buffer, sizeof buffer) || in.gcount() > 0) {
    content.append(buffer, static_cast<std::size_t>(in.gcount()));
    check_size(content.size());
  }
  if (in.bad()) throw InputError(fmt::format("{}: cannot be read", path.string()));
  return content;
}

std::uint64_t checksum(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

std::string checksum128(std::string_view bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

namespace {
XXH3_state_t* as_state(void* state) { return static_cast<XXH3_state_t*>(state); }
}  // namespace

Checksum::Checksum() : state_(XXH3_createState()) {
  LINGUA_CHECK(state_ != nullptr, "out of memory");
  XXH3_64bits_reset(as_state(state_));
}

Checksum::~Checksum() { XXH3_freeState(as_state(state_)); }

void Checksum::update(const void* data, std::size_t bytes) {
  XXH3_64bits_update(as_state(state_), data, bytes);
}

std::uint64_t Checksum::value() const { return XXH3_64bits_digest(as_state(state_)); }

}  // namespace lingua
