#pragma once
// A file that lives in memory and has a path, for tests that write thousands of them.
//
// REQUIRES: Linux. Errors: throws std::runtime_error.

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

namespace lingua::testing {

class MemoryFile {
 public:
  MemoryFile() : file_(::memfd_create("test", MFD_CLOEXEC)) {
    if (file_ < 0) throw std::runtime_error("memfd_create failed");
  }
  ~MemoryFile() { ::close(file_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  // Good in this process, as long as the object lives.
  std::string path() const { return "/proc/self/fd/" + std::to_string(file_); }

  // These bytes and no others.
  void write(std::string_view bytes) const {
    bool good = ::ftruncate(file_, 0) == 0;
    for (std::size_t at = 0; good && at < bytes.size();) {
      const auto put =
          ::pwrite(file_, bytes.data() + at, bytes.size() - at, static_cast<off_t>(at));
      good = put > 0;
      at += good ? static_cast<std::size_t>(put) : 0;
    }
    if (!good) throw std::runtime_error("a file in memory cannot be written");
  }

 private:
  int file_;
};

}  // namespace lingua::testing
