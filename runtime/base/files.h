#pragma once
// Files: read whole, or written so that a reader never sees half of one.
//
// Errors: InputError names the path and the reason.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <ostream>
#include <string>
#include <string_view>

namespace lingua {

// The content of a file. A file larger than max_bytes is refused, not read.
std::string read_file(const std::filesystem::path& path, std::uint64_t max_bytes = 64ULL << 20);

// Calls write with a stream to a temporary file beside `path`, then renames it to `path`. When
// write throws or the disk is full the temporary file is removed and `path` is as it was.
void write_file_atomically(const std::filesystem::path& path,
                           const std::function<void(std::ostream&)>& write);

// XXH3, 64 bit, of the bytes: the checksum of weights and the digest of event logs.
std::uint64_t checksum(std::string_view bytes);

// The same over bytes that arrive in pieces.
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

// A new empty folder in the system's place for temporary files; it goes with the object.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace lingua
