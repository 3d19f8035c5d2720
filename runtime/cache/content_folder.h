#pragma once
// Files named by digests, of what is in them or of what they were made from: what need not be sent or computed
// again. A folder has one for each owner, so that none is told what another has left, and one bound for all.
//
// Units: bytes. A file is there as a whole or not at all; those that were used longest ago make room.
// Threads: reading (open, remove) beside one that writes; processes: any number.
// Errors: InputError names the path and the reason.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "runtime/base/digest.h"

namespace lingua {

class TemporaryPath;

// In the root, beside the owners: of DigestIndex, which is no content.
inline constexpr const char* kDigestsFolder = "digests";

class ContentFolder {
 public:
  struct Options {
    std::filesystem::path root;
    std::string owner;  // a file's name
    std::int64_t most_bytes = 0;
  };
  // Makes the folder where there is none.
  explicit ContentFolder(Options options);

  // A descriptor to read a file from, which the caller closes; -1 where there is none of this size. It is the
  // one that was used last then. Who reads compares what it reads.
  int open(const Digest& name, std::int64_t bytes) const;
  void remove(const Digest& name) const;

  bool fits(std::int64_t bytes) const { return bytes <= options_.most_bytes; }
  const std::filesystem::path& folder() const { return folder_; }

 private:
  friend class ContentWriter;
  std::filesystem::path file_of(const Digest& name) const;
  void make_room(std::int64_t bytes);

  Options options_;
  std::filesystem::path folder_;  // of the owner
  std::int64_t used_ = -1;        // by all that is known of; -1: not looked yet
};

// Writes one file in pieces. One that is not finished leaves nothing.
class ContentWriter {
 public:
  // REQUIRES: the folder outlives it.
  explicit ContentWriter(ContentFolder& folder);
  ~ContentWriter();
  ContentWriter(const ContentWriter&) = delete;
  ContentWriter& operator=(const ContentWriter&) = delete;

  void append(const void* data, std::size_t bytes);
  // Puts it in place, where others make room for the bytes that were written. REQUIRES: called once, last.
  void finish(const Digest& name);

 private:
  void refuse(const char* what) const;

  ContentFolder& folder_;
  std::unique_ptr<TemporaryPath> path_;
  int file_ = -1;
  std::int64_t written_ = 0;
};

}  // namespace lingua
