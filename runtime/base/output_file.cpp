#include "runtime/base/output_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>
#include <system_error>

#include "runtime/base/errors.h"
#include "runtime/base/temporary.h"

namespace lingua {
namespace {

namespace fs = std::filesystem;

constexpr int kMostLinks = 40;  // as the kernel

// What stands at a path.
struct Destination {
  fs::path path;                  // through all links
  std::optional<int> descriptor;  // of this process, that the path means
  bool exists = false;
  struct stat status {};
};

[[noreturn]] void refuse(const fs::path& path, const std::string& why) {
  throw InputError(fmt::format("{}: {}", path.string(), why));
}

std::string reason(int error) { return std::strerror(error); }

fs::path parent_of(const fs::path& path) {
  const fs::path parent = path.parent_path();
  return parent.empty() ? "." : parent;
}

// The number of a descriptor, where the path is one of this process's.
std::optional<int> descriptor_at(const fs::path& path) {
  std::error_code error;
  const fs::path parent = fs::canonical(parent_of(path), error);
  if (error || parent != fs::canonical("/proc/self/fd", error)) return std::nullopt;
  const std::string name = path.filename();
  int number = -1;
  const auto [end, failed] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (failed != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return number;
}

Destination destination_of(const fs::path& given) {
  if (given.empty()) throw InputError("an empty path names no file");
  Destination place{given, descriptor_at(given), false, {}};
  std::error_code error;
  for (int links = 0; !place.descriptor && fs::is_symlink(fs::symlink_status(place.path, error));
       ++links) {
    if (links == kMostLinks) refuse(given, reason(ELOOP));
    const fs::path next = fs::read_symlink(place.path, error);
    if (error) refuse(given, error.message());
    place.path = next.is_absolute() ? next : parent_of(place.path) / next;
    place.descriptor = descriptor_at(place.path);
  }
  if (::stat(place.path.c_str(), &place.status) == 0) {
    place.exists = true;
  } else if (errno != ENOENT && errno != ENOTDIR) {
    refuse(given, reason(errno));
  }
  return place;
}

bool is_written_through(const Destination& place) {
  return place.descriptor.has_value() || (place.exists && !S_ISREG(place.status.st_mode));
}

void check_descriptor(const fs::path& given, int descriptor) {
  const int flags = ::fcntl(descriptor, F_GETFL);
  if (flags < 0) refuse(given, "is not open");
  if ((flags & O_ACCMODE) == O_RDONLY) refuse(given, "is open for reading only");
}

void check_folder(const fs::path& given, const fs::path& target) {
  const fs::path folder = parent_of(target);
  struct stat status {};
  if (::stat(folder.c_str(), &status) != 0) {
    refuse(given,
           fmt::format("cannot be written: the folder {}: {}", folder.string(), reason(errno)));
  }
  if (!S_ISDIR(status.st_mode)) {
    refuse(given, fmt::format("cannot be written: {} is no folder", folder.string()));
  }
}

void check(const fs::path& given, const Destination& place) {
  if (place.descriptor) return check_descriptor(given, *place.descriptor);
  if (!place.path.has_filename() || (place.exists && S_ISDIR(place.status.st_mode))) {
    refuse(given, "is a folder; a file is needed");
  }
  if (place.exists && (S_ISBLK(place.status.st_mode) || S_ISSOCK(place.status.st_mode))) {
    refuse(given, "is a disk or a socket; a file, a pipe or a character device is needed");
  }
  if (place.exists && ::access(place.path.c_str(), W_OK) != 0) {
    refuse(given, fmt::format("cannot be written: {}", reason(errno)));
  }
  if (!is_written_through(place)) check_folder(given, place.path);
}

void write_all(const fs::path& given, int descriptor, const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t written = ::write(descriptor, text.data() + at, text.size() - at);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) refuse(given, fmt::format("cannot be written whole: {}", reason(errno)));
    at += static_cast<std::size_t>(written);
  }
}

void write_through(const fs::path& given, const Destination& place,
                   const std::function<void(std::ostream&)>& write) {
  std::ostringstream text;
  write(text);
  if (!text) refuse(given, "cannot be written whole");
  if (place.descriptor) {
    std::fflush(stdout);  // what this program wrote there before
    return write_all(given, *place.descriptor, text.str());
  }
  const int file = ::open(place.path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY);
  if (file < 0) refuse(given, fmt::format("cannot be written: {}", reason(errno)));
  struct Close {
    int file;
    ~Close() { ::close(file); }
  } close{file};
  write_all(given, file, text.str());
}

// An empty file beside the target, with the mode and owner of the one that it will replace.
fs::path make_beside(const fs::path& given, const Destination& place) {
  static std::atomic<unsigned> count{0};
  fs::path path;
  int file = -1;
  do {
    path = parent_of(place.path) / fmt::format(".lingua-{}-{}.tmp", ::getpid(), count++);
    file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (file < 0 && errno == EEXIST);
  if (file < 0) {
    refuse(given, fmt::format("cannot be written: the folder {} takes no new file: {}",
                              parent_of(place.path).string(), reason(errno)));
  }
  if (place.exists) {
    const auto& was = place.status;
    const bool same = was.st_uid == ::geteuid() && was.st_gid == ::getegid();
    if (!same && ::fchown(file, was.st_uid, was.st_gid) != 0) errno = 0;  // not ours to give
    ::fchmod(file, was.st_mode & 07777);
  }
  ::close(file);
  return path;
}

}  // namespace

void check_output_file(const fs::path& path) {
  const Destination place = destination_of(path);
  check(path, place);
  if (is_written_through(place)) return;
  // Only a try tells: root may write everywhere, and yet not in /proc.
  const TemporaryPath probe([&] { return make_beside(path, place); });
}

fs::path output_target(const fs::path& path) {
  const Destination place = destination_of(path);
  if (is_written_through(place)) return path;
  std::error_code error;
  const fs::path whole = fs::weakly_canonical(place.path, error);
  return error ? place.path : whole;
}

HeldOutputFile::HeldOutputFile(const fs::path& path) : path_(path) {
  const Destination place = destination_of(path);
  check(path, place);
  is_regular_ = !is_written_through(place);
  file_ = place.descriptor
              ? ::fcntl(*place.descriptor, F_DUPFD_CLOEXEC, 0)
              : ::open(place.path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
  if (file_ < 0) refuse(path, fmt::format("cannot be written: {}", reason(errno)));
}

HeldOutputFile::~HeldOutputFile() { ::close(file_); }

void HeldOutputFile::write(const std::string& text) {
  if (is_regular_ && ::ftruncate(file_, 0) != 0) {
    refuse(path_, fmt::format("cannot be written: {}", reason(errno)));
  }
  write_all(path_, file_, text);
}

void write_file_atomically(const fs::path& path, const std::function<void(std::ostream&)>& write) {
  const Destination place = destination_of(path);
  check(path, place);
  if (is_written_through(place)) return write_through(path, place, write);
  const TemporaryPath temporary([&] { return make_beside(path, place); });
  std::ofstream out(temporary.path(), std::ios::binary | std::ios::trunc);
  if (!out) refuse(path, fmt::format("cannot be written: {}", reason(errno)));
  errno = 0;
  write(out);
  out.close();
  if (!out) {
    refuse(path, fmt::format("cannot be written whole: {}",
                             errno != 0 ? reason(errno) : "is the disk full?"));
  }
  std::error_code error;
  fs::rename(temporary.path(), place.path, error);
  if (error) refuse(path, fmt::format("cannot be written: {}", error.message()));
}

}  // namespace lingua
