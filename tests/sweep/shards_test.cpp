// Shards, on machines of their own and together again.

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>

#include "runtime/base/files.h"
#include "tests/sweep/sweeps.h"

namespace lingua {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::refusal;
using testing::SweepFolder;
using testing::tools;

class MergedSweep : public ::testing::Test {
 protected:
  MergedSweep() {
    for (std::uint64_t i = 0; i < 3; ++i) folder.run(fmt::format("{}.db", i + 1), tools(), {i, 3});
  }

  SweepMergeOutcome merge(const std::vector<std::string>& from, bool allow_equal_rows = false) {
    SweepMergeRequest request;
    for (const std::string& file : from) request.from.push_back(folder.path(file));
    request.to = folder.path("merged.db");
    request.allow_equal_rows = allow_equal_rows;
    return merge_sweeps(request);
  }

  std::size_t files() const {
    const auto all = std::filesystem::directory_iterator(folder.path("").parent_path());
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
  }

  const SweepFolder folder;
};

TEST_F(MergedSweep, OfAllShardsEqualsOneRun) {
  folder.run("one.db");
  const SweepMergeOutcome outcome = merge({"3.db", "1.db", "2.db"});
  EXPECT_EQ(outcome.rows, 100u);
  EXPECT_EQ(outcome.missing, 0u);
  EXPECT_EQ(folder.digest("merged.db"), folder.digest("one.db"));
  EXPECT_EQ(folder.run("merged.db").before, 100u);
}

TEST_F(MergedSweep, SaysWhatIsMissingAndCanBeMadeWhole) {
  const SweepMergeOutcome outcome = merge({"1.db", "3.db"});
  EXPECT_EQ(outcome.rows + outcome.missing, 100u);
  EXPECT_THAT(outcome.first_missing, ElementsAre(4, 10, 16, 22, 28, 34, 40, 43, 46, 49));
  EXPECT_EQ(folder.run("merged.db").done, outcome.missing);
  folder.run("one.db");
  EXPECT_EQ(folder.digest("merged.db"), folder.digest("one.db"));
}

TEST_F(MergedSweep, RefusesAShardTwiceUnlessEqualRowsAreAllowed) {
  const std::size_t before = files();
  EXPECT_THAT(refusal<InputError>([&] {
                merge({"1.db", "2.db", "1.db"});
              }),
              HasSubstr("1.db: point 0 ("));
  EXPECT_EQ(files(), before) << "nothing is left of a merge that failed";
  const SweepMergeOutcome outcome = merge({"1.db", "2.db", "3.db", "1.db"}, true);
  EXPECT_EQ(outcome.rows, 100u);
  EXPECT_EQ(outcome.equal_rows, SweepStore::read(folder.path("1.db")).counts().done);
  EXPECT_EQ(files(), before + 1);
}

TEST_F(MergedSweep, RefusesRowsThatDiffer) {
  std::filesystem::copy_file(folder.path("1.db"), folder.path("odd.db"));
  SQLite::Database(folder.path("odd.db").string(), SQLite::OPEN_READWRITE)
      .exec("UPDATE points SET results = '{}' WHERE number = 42");
  EXPECT_THAT(refusal<InputError>([&] {
                merge({"1.db", "odd.db"}, true);
              }),
              HasSubstr("odd.db: point 42 ("));
  EXPECT_FALSE(std::filesystem::exists(folder.path("merged.db")));
}

TEST_F(MergedSweep, RefusesOtherSweepsVersionsAndATargetThatIsThere) {
  SweepTools newer = tools();
  newer.version = "2.0";
  folder.run("newer.db", newer, {1, 3});
  EXPECT_THAT(refusal<InputError>([&] {
                merge({"1.db", "newer.db"});
              }),
              HasSubstr("newer.db: its version is 2.0, that of"));
  const SweepFolder other("name: hundred\naxes: {seed: 1..3}\n");
  other.run();
  SweepMergeRequest request{{folder.path("1.db"), other.path("sweep.db")},
                            folder.path("merged.db")};
  EXPECT_THAT(refusal<InputError>([&] { merge_sweeps(request); }),
              HasSubstr("its specification's digest is"));
  request = {{folder.path("1.db")}, folder.path("2.db")};
  EXPECT_THAT(refusal<InputError>([&] { merge_sweeps(request); }),
              HasSubstr("2.db: is there already; name a new file"));
  request.from.clear();
  EXPECT_NE(refusal<UsageError>([&] { merge_sweeps(request); }), "nothing");
}

}  // namespace
}  // namespace lingua
