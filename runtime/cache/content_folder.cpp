#include "runtime/cache/content_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/base/temporary.h"

namespace lingua {
namespace {

namespace fs = std::filesystem;

constexpr const char* kUnfinished = "unfinished-";
constexpr std::chrono::hours kAbandoned{1};  // an unfinished file that has not grown for so long

struct Kept {
  fs::file_time_type used;
  fs::path path;
  std::int64_t bytes = 0;
};

bool write_all(int file, const void* data, std::size_t bytes) {
  const auto* from = static_cast<const std::byte*>(data);
  while (bytes > 0) {
    const ssize_t written = ::write(file, from, bytes);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    from += written;
    bytes -= static_cast<std::size_t>(written);
  }
  return true;
}

// What all owners have; what others have left unfinished goes.
std::vector<Kept> contents_of(const fs::path& root) {
  std::vector<Kept> contents;
  std::error_code error;
  for (const fs::directory_entry& owner : fs::directory_iterator(root, error)) {
    if (owner.is_symlink(error) || !owner.is_directory(error)) continue;
    if (owner.path().filename() == kDigestsFolder) continue;  // which bounds itself
    for (const fs::directory_entry& file : fs::directory_iterator(owner.path(), error)) {
      if (file.is_symlink(error) || !file.is_regular_file(error)) continue;
      const fs::file_time_type used = file.last_write_time(error);
      if (error) continue;
      const std::string name = file.path().filename();
      if (parse_digest(name)) {
        const auto bytes = static_cast<std::int64_t>(file.file_size(error));
        if (!error) contents.push_back({used, file.path(), bytes});
      } else if (name.starts_with(kUnfinished) &&
                 fs::file_time_type::clock::now() - used > kAbandoned) {
        fs::remove(file.path(), error);
      }
    }
  }
  return contents;
}

}  // namespace

ContentFolder::ContentFolder(Options options)
    : options_(std::move(options)), folder_(options_.root / options_.owner) {
  std::error_code error;
  const bool is_new = fs::create_directories(folder_, error);
  if (error || !fs::is_directory(folder_, error)) {
    throw InputError(fmt::format("{}: cannot be made a folder: {}", folder_.string(),
                                 error ? error.message() : std::string("there is something else")));
  }
  if (is_new) fs::permissions(folder_, fs::perms::owner_all, error);  // as private as what is in it
}

fs::path ContentFolder::file_of(const Digest& name) const { return folder_ / name.text(); }

int ContentFolder::open(const Digest& name, std::int64_t bytes) const {
  const int file = ::open(file_of(name).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (file < 0) return -1;
  struct stat status {};
  if (::fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(file);
    return -1;
  }
  if (status.st_size != bytes) {
    ::close(file);
    remove(name);
    return -1;
  }
  ::futimens(file, nullptr);  // a folder that cannot be written to keeps its order
  return file;
}

void ContentFolder::remove(const Digest& name) const { ::unlink(file_of(name).c_str()); }

void ContentFolder::make_room(std::int64_t bytes) {
  if (used_ >= 0 && used_ + bytes <= options_.most_bytes) {
    used_ += bytes;
    return;
  }
  std::vector<Kept> contents = contents_of(options_.root);
  std::sort(contents.begin(), contents.end(), [](const Kept& a, const Kept& b) {
    return std::tie(a.used, a.path) < std::tie(b.used, b.path);
  });
  used_ = bytes;
  for (const Kept& content : contents) used_ += content.bytes;
  for (const Kept& content : contents) {
    if (used_ <= options_.most_bytes) break;
    ::unlink(content.path.c_str());
    used_ -= content.bytes;
  }
}

ContentWriter::ContentWriter(ContentFolder& folder) : folder_(folder) {
  static std::atomic<int> count{0};
  path_ = std::make_unique<TemporaryPath>([&] {
    const fs::path path =
        folder_.folder() / fmt::format("{}{}-{}", kUnfinished, ::getpid(), ++count);
    file_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (file_ < 0) {
      throw InputError(fmt::format("{}: nothing can be kept there: {}", folder_.folder().string(),
                                   std::strerror(errno)));
    }
    return path;
  });
}

ContentWriter::~ContentWriter() {
  if (file_ >= 0) ::close(file_);
}

void ContentWriter::refuse(const char* what) const {
  throw InputError(fmt::format("{}: {}: {}", path_->path().string(), what, std::strerror(errno)));
}

void ContentWriter::append(const void* data, std::size_t bytes) {
  if (!write_all(file_, data, bytes)) refuse("cannot be written");
  written_ += static_cast<std::int64_t>(bytes);
}

void ContentWriter::finish(const Digest& name) {
  const int closed = ::close(std::exchange(file_, -1));
  if (closed != 0) refuse("cannot be written");
  folder_.make_room(written_);
  if (::rename(path_->path().c_str(), folder_.file_of(name).c_str()) != 0)
    refuse("cannot be put in place");
}

}  // namespace lingua
