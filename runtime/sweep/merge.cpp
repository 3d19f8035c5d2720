#include <fmt/format.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <system_error>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"
#include "runtime/base/temporary.h"
#include "runtime/sweep/sweep.h"

namespace lingua {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFirstMissing = 10;

void check_same(const SweepFacts& first, const fs::path& of_first, const SweepFacts& other,
                const fs::path& of_other) {
  const auto refuse = [&](const char* what, const std::string& there, const std::string& here) {
    throw InputError(fmt::format("{}: its {} is {}, that of {} is {}; merge databases of one sweep",
                                 of_other.string(), what, one_line(there, 64), of_first.string(),
                                 one_line(here, 64)));
  };
  if (first.name != other.name) refuse("name", other.name, first.name);
  if (first.spec_digest != other.spec_digest)
    refuse("specification's digest", other.spec_digest, first.spec_digest);
  if (first.version != other.version) refuse("version", other.version, first.version);
}

class Merge {
 public:
  Merge(SweepStore& to, bool allow_equal_rows) : to_(to), allow_equal_rows_(allow_equal_rows) {}

  void take(const fs::path& file, const SweepRow& row) {
    const auto there = to_.head_of(static_cast<std::uint64_t>(row.number));
    if (!there) {
      to_.check_new(row.id, row.number);
      to_.add(row);
      ++outcome.rows;
      return;
    }
    const std::vector<SweepRow> before = to_.rows_of(there->id, 1);
    LINGUA_CHECK(before.size() == 1, "{}", there->id);
    if (!before[0].same_as(row)) {
      throw InputError(fmt::format(
          "{}: point {} ({}) is not as in a database before it; keep the right one of them",
          file.string(), row.number, row.id));
    }
    if (!allow_equal_rows_) {
      throw InputError(fmt::format(
          "{}: point {} ({}) is in a database before it too; name each shard once, or allow equal "
          "rows",
          file.string(), row.number, row.id));
    }
    ++outcome.equal_rows;
  }

  SweepMergeOutcome outcome;

 private:
  SweepStore& to_;
  const bool allow_equal_rows_;
};

void note_missing(const SweepStore& store, const fs::path& file, SweepMergeOutcome& outcome) {
  const SweepPoints points(parse_sweep(store.facts().spec, file.string()));
  for (auto point = points.next(0); point; point = points.next(point->number + 1)) {
    if (store.head_of(point->number)) continue;
    ++outcome.missing;
    if (outcome.first_missing.size() < kFirstMissing)
      outcome.first_missing.push_back(point->number);
  }
}

// A new folder beside the file: what SQLite needs besides is in it too.
fs::path make_folder_beside(const fs::path& file) {
  std::string path = file.string() + ".partial-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr)
    throw InputError(fmt::format("{}: cannot be made: {}", file.string(), std::strerror(errno)));
  return path;
}

}  // namespace

SweepMergeOutcome merge_sweeps(const SweepMergeRequest& request) {
  if (request.from.empty()) throw UsageError("merge: name the databases to merge");
  std::error_code error;
  if (fs::exists(fs::symlink_status(request.to, error)))
    throw InputError(fmt::format("{}: is there already; name a new file", request.to.string()));
  const SweepFacts facts = SweepStore::read(request.from.front()).facts();
  for (const fs::path& file : request.from)
    check_same(facts, request.from.front(), SweepStore::read(file).facts(), file);
  const TemporaryPath folder([&] { return make_folder_beside(request.to); });
  const fs::path partial = folder.path() / "merged";
  SweepMergeOutcome outcome;
  {
    SweepStore to = SweepStore::create(partial, facts);
    Merge merge(to, request.allow_equal_rows);
    to.add_together([&] {
      for (const fs::path& file : request.from)
        SweepStore::read(file).for_each([&](const SweepRow& row) { merge.take(file, row); });
    });
    outcome = std::move(merge.outcome);
    note_missing(to, request.from.front(), outcome);
  }
  fs::rename(partial, request.to, error);
  if (error)
    throw InputError(fmt::format("{}: cannot be made: {}", request.to.string(), error.message()));
  return outcome;
}

}  // namespace lingua
