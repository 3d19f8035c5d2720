#pragma once
// A journal in a file that grows: a line that says what it is, the facts, then entries as they come.
//
// A coordinator may be killed in the middle of a record, and a disk may damage one: what is behind the last
// record that is whole is left out, and cut off, so that the file goes on from there. What it had is made again,
// with the same tokens; for the same reason a power cut costs time and nothing else, and data is put on the disk
// (fdatasync) once a second at most, and at the end. The file is locked while it is open.
// Threads: one at a time. Errors: InputError names the path and what is wrong: a folder, no journal, one of
// another format or other facts, which stay as they are; WorldError for one that another process has open.

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "runtime/engine/journal.h"
#include "runtime/journal/records.h"

namespace lingua {

class JournalFile : public Journal {
 public:
  // Makes the file where there is none.
  JournalFile(std::filesystem::path path, const JournalFacts& facts);
  ~JournalFile() override;
  JournalFile(const JournalFile&) = delete;
  JournalFile& operator=(const JournalFile&) = delete;

  const RequestHistory& history() const override { return history_; }
  void append(const std::vector<JournalEntry>& entries) override;

  // What of the file was left out when it was opened, and why, in one line; empty where all was whole.
  const std::string& left_out() const { return left_out_; }

 private:
  [[noreturn]] void refuse(const std::string& why) const;
  void lock() const;
  std::string read() const;
  void take(const std::string& bytes, const JournalFacts& facts);
  std::size_t take_entries(std::string_view bytes, std::size_t at);
  void check_facts(const JournalFacts& there, const JournalFacts& here) const;
  void write(std::string_view bytes);
  void sync();

  const std::filesystem::path path_;
  const int file_;
  RequestHistory history_;
  std::string left_out_;
  bool is_synced_ = true;
  std::chrono::steady_clock::time_point synced_at_;
};

}  // namespace lingua
