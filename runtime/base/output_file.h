#pragma once
// Files that results go to.
//
// A regular file is replaced as a whole, so that a reader never sees half of one: links are followed
// and stay, the file's mode and owner too. Devices, pipes and open descriptors (/dev/null,
// /dev/stdout, /dev/fd/3) are written to. Errors: InputError names the path and the reason.

#include <filesystem>
#include <functional>
#include <ostream>
#include <string>

namespace lingua {

// Refuses a path to which write_file_atomically would not be able to write: before the work begins.
// Leaves nothing.
void check_output_file(const std::filesystem::path& path);

// Calls write with a stream, then puts what it wrote at `path`. When write throws or the disk is
// full, `path` is as it was, if it is a regular file.
void write_file_atomically(const std::filesystem::path& path,
                           const std::function<void(std::ostream&)>& write);

// An output file of a process that will be able to open none when it has something to write. A regular
// file is made where there is none; what it held stays until write(), which replaces it in place.
class HeldOutputFile {
 public:
  explicit HeldOutputFile(const std::filesystem::path& path);
  ~HeldOutputFile();
  HeldOutputFile(const HeldOutputFile&) = delete;
  HeldOutputFile& operator=(const HeldOutputFile&) = delete;

  // REQUIRES: called once.
  void write(const std::string& text);

 private:
  std::filesystem::path path_;
  bool is_regular_ = false;
  int file_ = -1;
};

// The file that a path means, through all links, whether it exists or not; the path itself where it
// is no regular file.
std::filesystem::path output_target(const std::filesystem::path& path);

}  // namespace lingua
