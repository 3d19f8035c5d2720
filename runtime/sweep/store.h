#pragma once
// The database of a sweep: a file of SQLite with what it is of, and a row for each point that has ended.
//
//   meta(key, value)   schema, name, spec (its text), spec_digest, version (of the program), created
//   points             id, number, settings (JSON: what, settings, resolved), axes (JSON), state (done or failed),
//                      reason, results (JSON), seconds, version, seed, finished
//
// A row is on its way to the file when add() returns: what the process dies of does not undo it. A power cut may
// undo the last rows, which are then made again. While it is written there are FILE-wal, FILE-shm and FILE.lock
// beside it, which belong to it; they go when it is closed, and after a kill when it is next opened to write.
// Threads: one at a time. After fork() the child leaves it alone but for leave().
// Units: seconds; times as UTC.
// Errors: InputError for what is no database, damaged, of another sweep, schema or version; WorldError for a full
// disk, and for one that another sweep writes to. Rows that were added stay, whatever is thrown.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lingua {

struct SweepRow {
  std::string id;
  std::int64_t number = 0;
  std::string settings;  // JSON
  std::string axes;      // JSON
  bool done = false;     // else failed
  std::string reason;    // of a failed one
  std::string results;   // JSON
  double seconds = 0;
  std::string version;
  std::optional<std::int64_t> seed = {};
  std::string finished;

  // Whether all is the same but what the clock gave.
  bool same_as(const SweepRow& other) const;
};

struct SweepFacts {
  std::string name;
  std::string spec;
  std::string spec_digest;
  std::string version;
};

struct SweepCounts {
  std::uint64_t done = 0;
  std::uint64_t failed = 0;
  double seconds = 0;  // of all of them together
};

class SweepStore {
 public:
  // To add to: made where there is none, else of the same sweep, and of the same version unless another is allowed.
  static SweepStore open(const std::filesystem::path& file, const SweepFacts& facts,
                         bool allow_other_version);
  // Errors: also InputError where `file` is there.
  static SweepStore create(const std::filesystem::path& file, const SweepFacts& facts);
  // To read from, also while another process adds to it.
  static SweepStore read(const std::filesystem::path& file);

  SweepStore(SweepStore&&) noexcept;
  SweepStore& operator=(SweepStore&&) noexcept;
  ~SweepStore();

  const SweepFacts& facts() const;
  SweepCounts counts() const;

  // The id and state of the row of a number.
  struct Head {
    std::string id;
    bool done = false;
  };
  std::optional<Head> head_of(std::uint64_t number) const;

  // Two points that are the same would be one row. Errors: InputError where another number has the id.
  void check_new(const std::string& id, std::int64_t number) const;

  // Replaces a row of the same number. REQUIRES: open() or create(); no other id has the number, no other number the
  // id (check_new).
  void add(const SweepRow& row);

  // What is added in `act` is added together, or not at all where that throws: many rows in less time.
  void add_together(const std::function<void()>& act);

  // By ascending number.
  void for_each(const std::function<void(const SweepRow&)>& see) const;

  // Up to `most` rows whose ids begin so.
  std::vector<SweepRow> rows_of(const std::string& id_prefix, int most) const;

  // In a child of fork(): lets go of what would keep the parent's successor out.
  void leave();

 private:
  class Impl;
  explicit SweepStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// XXH3 of 128 bits over what the sweep is of and its rows by number, without what the clock gave (seconds,
// finished, created): equal for databases with the same results. 32 hexadecimal digits.
std::string content_digest(const SweepStore& store);

// The time as rows have it: "2026-03-09T14:05:07Z".
std::string utc_now();

}  // namespace lingua
