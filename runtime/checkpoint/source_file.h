#pragma once
// A file of weights, open for reading at any place.
//
// Nothing is mapped: a mapped file that another program cuts short kills the process (SIGBUS), a
// read says so. The system keeps and drops what was read in the same cache either way.
// Threads: reading from several threads is safe.
// Errors: InputError names the file and the byte.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

namespace lingua {

class SourceFile {
 public:
  // Errors: also for anything but a regular file.
  explicit SourceFile(const std::filesystem::path& path);
  ~SourceFile();
  SourceFile(const SourceFile&) = delete;
  SourceFile& operator=(const SourceFile&) = delete;

  const std::string& path() const { return path_; }
  std::uint64_t bytes() const { return bytes_; }  // when it was opened

  void read(std::uint64_t position, std::uint64_t bytes, std::byte* out) const;

 private:
  std::string path_;
  int file_ = -1;
  std::uint64_t bytes_ = 0;
};

}  // namespace lingua
