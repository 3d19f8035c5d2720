#include "runtime/checkpoint/source_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "runtime/base/errors.h"

namespace lingua {

SourceFile::SourceFile(const std::filesystem::path& path) : path_(path.string()) {
  // O_NONBLOCK: opening a named pipe must not wait for its writer.
  file_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file_ < 0) throw InputError(fmt::format("{}: {}", path_, std::strerror(errno)));
  struct stat facts {};
  if (::fstat(file_, &facts) != 0 || !S_ISREG(facts.st_mode)) {
    ::close(file_);
    throw InputError(fmt::format("{}: is not a regular file", path_));
  }
  bytes_ = static_cast<std::uint64_t>(facts.st_size);
}

SourceFile::~SourceFile() { ::close(file_); }

void SourceFile::read(std::uint64_t position, std::uint64_t bytes, std::byte* out) const {
  while (bytes > 0) {
    const ssize_t got = ::pread(file_, out, bytes, static_cast<off_t>(position));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw InputError(fmt::format("{}: {}", path_, std::strerror(errno)));
    if (got == 0) {
      throw InputError(fmt::format("{}: ends at byte {}; it was cut short", path_, position));
    }
    out += got;
    position += static_cast<std::uint64_t>(got);
    bytes -= static_cast<std::uint64_t>(got);
  }
}

}  // namespace lingua
