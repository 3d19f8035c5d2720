#pragma once
// `lingua sweep`: what each of its verbs is asked and answers. Who binds them to a command line gives the tools.
//
// Threads: one at a time; run and preview fork, so that the process that calls them should have no work under way
// in other threads. Units: seconds.
// Errors: InputError and UsageError for specifications, databases and requests that are not what they should be;
// WorldError for a full disk, a database in use, no processes to be had. What fails of a point is its row.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "runtime/sweep/points.h"
#include "runtime/sweep/spec.h"
#include "runtime/sweep/store.h"

namespace lingua {

// What a sweep does not know itself.
struct SweepTools {
  CheckSetting check = nullptr;
  // In the process that runs the sweep, for each point: keep what it reads.
  ResolveSettings resolve = nullptr;
  // In the process that runs the sweep, before a point is run: what many points need is made once. What it throws
  // evaluate() will throw as well. May be null.
  std::function<void(const std::string& what, const nlohmann::json& settings)> prepare;
  // In a child that does nothing else; its result, as `--json` gives it. What it throws becomes the point's reason.
  // It must depend on the settings and what they resolve to only, and hold no time of a clock.
  std::function<nlohmann::json(const std::string& what, const nlohmann::json& settings)> evaluate;
  std::string version;  // of the program, in every row
};

struct SweepProgress {
  std::uint64_t before = 0;    // points that had ended when this began
  std::uint64_t done = 0;      // by this run
  std::uint64_t failed = 0;    // by this run
  std::uint64_t position = 0;  // the number that comes next, of
  std::uint64_t size = 0;      // all numbers, those that are excluded or of other shards included
  std::uint64_t under_way = 0;
  double seconds = 0;  // since this began
};
using SeeProgress =
    std::function<void(const SweepProgress&)>;  // about five times a second; may be null

struct SweepRunRequest {
  std::filesystem::path spec;
  std::filesystem::path database;
  SweepShard shard;
  int workers = 0;          // 0: one for each core
  double time_limit_s = 0;  // of a point; 0: none
  bool allow_other_version = false;
  bool retry_failed = false;  // points that have failed run again, and their rows are replaced
};

struct SweepRunOutcome {
  std::uint64_t before = 0;
  std::uint64_t done = 0;
  std::uint64_t failed = 0;
  bool stopped = false;  // there may be points left
  double seconds = 0;
  std::vector<std::string> first_failures;  // "ID: reason" of up to three
  std::vector<std::string> never_kept;      // what keep names and no result had, where any was done
};

// Runs the points that have no row yet. `is_stopping` is asked often and may be null: when it says so, what is under
// way is given up and the rest is left; the next run goes on from there.
SweepRunOutcome run_sweep(const SweepRunRequest& request, const SweepTools& tools,
                          const SeeProgress& see = nullptr,
                          const std::function<bool()>& is_stopping = nullptr);

struct SweepPreview {
  std::string name;
  std::uint64_t points = 0;    // of the shard, to run
  std::uint64_t excluded = 0;  // of the shard
  int sampled = 0;             // points that were run to measure, none of them kept
  int samples_failed = 0;
  double seconds_per_point = 0;  // of work; of those sampled
  double estimate_s = 0;         // with as many workers
  int workers = 0;
};

// What a run would do. Writes nothing. With samples, that many points, evenly spread, are run and forgotten.
SweepPreview preview_sweep(const SweepRunRequest& request, const SweepTools& tools, int samples);

struct SweepMergeRequest {
  std::vector<std::filesystem::path> from;
  std::filesystem::path to;       // not there yet
  bool allow_equal_rows = false;  // of the same point in several
};
struct SweepMergeOutcome {
  std::uint64_t rows = 0;
  std::uint64_t equal_rows = 0;              // seen again
  std::uint64_t missing = 0;                 // points of the sweep that none has
  std::vector<std::uint64_t> first_missing;  // their numbers, up to ten
};

// One database of several shards' ones, of the same sweep and version. `to` stands when all is in it, or not at all.
SweepMergeOutcome merge_sweeps(const SweepMergeRequest& request);

struct SweepStatus {
  std::string name;
  std::string version;
  std::uint64_t points = 0;  // of the shard
  std::uint64_t done = 0;    // of the whole database
  std::uint64_t failed = 0;
  std::uint64_t left = 0;
  double seconds = 0;     // of work, so far
  double estimate_s = 0;  // until all is done, with as many workers; 0 where nothing has ended yet
  std::vector<std::pair<std::string, std::uint64_t>>
      reasons;  // the five most frequent, and how often
};

// Of the database of a shard, or of all. Goes through all points where some are excluded.
SweepStatus status_of_sweep(const std::filesystem::path& database, const SweepShard& shard,
                            int workers);

enum class SweepFormat { kCsv, kJsonLines };
// By ascending number, a line for each: id, the settings that the axes set, state, reason, results. In CSV a result
// that is named as another column is "result.NAME". Returns how many.
std::uint64_t export_sweep(const std::filesystem::path& database, SweepFormat format,
                           std::ostream& out);

// The row of this number, or whose id this is or begins so (nine characters or more where all are digits), for one
// more run of it.
SweepRow find_in_sweep(const std::filesystem::path& database, const std::string& which);

// What a row is of, as evaluate() took it, and what its settings resolved to then.
struct SweepTask {
  std::string what;
  nlohmann::json settings;
  nlohmann::json resolved;
};
SweepTask task_of(const SweepRow& row);
// What evaluate() gives for the row, as the row keeps it.
nlohmann::json results_as_kept(const std::filesystem::path& database, const nlohmann::json& result);

std::string digest_of_sweep(const std::filesystem::path& database);

}  // namespace lingua
