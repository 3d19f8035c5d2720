#include "runtime/sweep/file_digests.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <vector>

#include "runtime/base/digest.h"
#include "runtime/base/errors.h"

namespace lingua {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kDigits = 32;

[[noreturn]] void fail(const fs::path& path) {
  throw InputError(fmt::format("{}: {}", path.string(), std::strerror(errno)));
}

std::string state_of(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) fail(path);
  if (!S_ISREG(status.st_mode))
    throw InputError(fmt::format("{}: is no file whose content can be told", path.string()));
  return fmt::format("{} {} {} {}.{}", status.st_dev, status.st_ino, status.st_size,
                     status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
}

std::string read_digest(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) fail(path);
  Hasher hasher;
  std::vector<char> buffer(1 << 20);
  while (in.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) || in.gcount() > 0)
    hasher.update(buffer.data(), static_cast<std::size_t>(in.gcount()));
  if (in.bad()) throw InputError(fmt::format("{}: cannot be read", path.string()));
  return hasher.value().text().substr(0, kDigits);
}

}  // namespace

std::string FileDigests::of_file(const fs::path& path) {
  std::string state = state_of(path);
  Known& known = known_[path];
  if (known.state != state) known = {std::move(state), read_digest(path)};
  return known.digest;
}

std::string FileDigests::of(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return of_file(path);
  std::vector<fs::path> files;
  for (fs::recursive_directory_iterator at(path, error), end; !error && at != end;
       at.increment(error)) {
    std::error_code unknown;
    if (at->is_regular_file(unknown)) files.push_back(at->path());
  }
  if (error) throw InputError(fmt::format("{}: {}", path.string(), error.message()));
  std::sort(files.begin(), files.end());
  std::string all;
  for (const fs::path& file : files)
    all += fmt::format("{}\n{}\n", file.lexically_relative(path).string(), of_file(file));
  return digest_of(all).text().substr(0, kDigits);
}

}  // namespace lingua
