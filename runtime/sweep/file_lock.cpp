#include "runtime/sweep/file_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "runtime/base/errors.h"
#include "runtime/base/output_file.h"

namespace lingua {
namespace {

constexpr std::chrono::milliseconds kPatience{
    500};  // with children of one that was killed just now

// The one before may have removed it after it was opened here: then it is no lock any more.
bool is_still_there(int file, const std::filesystem::path& path) {
  struct stat held {};
  struct stat there {};
  return ::fstat(file, &held) == 0 && ::stat(path.c_str(), &there) == 0 &&
         held.st_ino == there.st_ino && held.st_dev == there.st_dev;
}

}  // namespace

FileLock::FileLock(const std::filesystem::path& file)
    : path_(output_target(file).string() + ".lock") {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (true) {
    file_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (file_ < 0)
      throw InputError(fmt::format("{}: cannot be made: {}", path_.string(), std::strerror(errno)));
    if (::flock(file_, LOCK_EX | LOCK_NB) == 0) {
      if (is_still_there(file_, path_)) return;
      ::close(file_);
      continue;
    }
    const int why = errno;
    ::close(file_);
    if (why == EINTR) continue;
    if (why == EWOULDBLOCK && std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      continue;
    }
    if (why == EWOULDBLOCK) {
      throw WorldError(
          fmt::format("{}: another sweep writes to it; wait for that one, or name another database",
                      file.string()));
    }
    throw InputError(fmt::format("{}: cannot be locked: {}", path_.string(), std::strerror(why)));
  }
}

FileLock::~FileLock() {
  if (file_ < 0) return;
  ::unlink(path_.c_str());
  ::close(file_);
}

void FileLock::leave() {
  ::close(file_);
  file_ = -1;
}

}  // namespace lingua
