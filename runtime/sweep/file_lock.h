#pragma once
// One writer of a file at a time: a lock on FILE.lock, which stands while it is held.
//
// It ends with the process that holds it, however that ends. The lock is on a file beside, for SQLite's own locks
// go when anyone in the process closes the database's file.
// Errors: WorldError where another process has it; InputError where no such file can be made.

#include <filesystem>

namespace lingua {

class FileLock {
 public:
  explicit FileLock(const std::filesystem::path& file);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

  // In a child of fork(): it has no part in the lock any more.
  void leave();

 private:
  std::filesystem::path path_;
  int file_ = -1;
};

}  // namespace lingua
