#pragma once
// Files and folders that must not outlive the program, however it ends.
//
// Threads: any. Errors: InputError names the path and the reason.

#include <filesystem>
#include <functional>
#include <string>

namespace lingua {

// A path that goes with the object, and with the program when a signal ends it (see signals.h).
class TemporaryPath {
 public:
  // `make` makes what stands there and gives its path.
  explicit TemporaryPath(const std::function<std::filesystem::path()>& make);
  ~TemporaryPath();
  TemporaryPath(const TemporaryPath&) = delete;
  TemporaryPath& operator=(const TemporaryPath&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// A new empty folder in TMPDIR (/tmp without one).
class TemporaryFolder {
 public:
  TemporaryFolder();

  const std::filesystem::path& path() const { return path_.path(); }
  std::string file(const std::string& name) const { return (path() / name).string(); }

 private:
  TemporaryPath path_;
};

// A descriptor of an empty file in TMPDIR that has no name; the caller closes it.
int open_unnamed_file();

// Removes all that stands, for a program that ends now: whoever makes or removes one waits for ever.
void remove_temporaries();

}  // namespace lingua
