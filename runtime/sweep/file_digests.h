#pragma once
// Digests of the content of files and folders, each read once while it stays as it is.
//
// A file is read again when its size, time or inode has changed. A folder's digest is of the names and contents of
// all regular files in it. Threads: one at a time. Errors: InputError that names the path.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

namespace lingua {

class FileDigests {
 public:
  // 32 hexadecimal digits.
  std::string of(const std::filesystem::path& path);

 private:
  struct Known {
    std::string state;  // of the file when it was read
    std::string digest;
  };
  std::string of_file(const std::filesystem::path& path);

  std::map<std::filesystem::path, Known> known_;
};

}  // namespace lingua
