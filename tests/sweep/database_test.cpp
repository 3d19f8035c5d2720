// Databases that are not as they should be, and disks that are full.

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "runtime/base/files.h"
#include "tests/sweep/sweeps.h"

namespace lingua {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using testing::refusal;
using testing::SweepFolder;
using testing::tools;

TEST(SweepDatabase, TakesOneSweepAtATime) {
  const SweepFolder folder("axes: {seed: 1..3}\n");
  folder.run();
  const std::string digest = folder.digest();
  const SweepSpec spec = load_sweep(folder.path("sweep.yaml"), nullptr);
  {
    const SweepStore held = SweepStore::open(folder.path("sweep.db"),
                                             {spec.name, spec.text, spec.digest(), "1.0"}, false);
    EXPECT_THAT(refusal<WorldError>([&] { folder.run(); }),
                HasSubstr("sweep.db: another sweep writes to it; wait for that one, or name"));
    EXPECT_EQ(folder.digest(), digest) << "reading is free";
  }
  EXPECT_EQ(folder.run().before, 3u);
}

TEST(SweepDatabase, IsReadWhileItIsWritten) {
  const SweepFolder folder("axes: {seed: 1..40}\n");
  std::uint64_t seen = 0;
  run_sweep(folder.request(), tools(), nullptr, [&] {
    const std::uint64_t now = SweepStore::read(folder.path("sweep.db")).counts().done;
    EXPECT_GE(now, seen);
    seen = now;
    return false;
  });
  EXPECT_GT(seen, 0u);
}

TEST(SweepDatabase, RefusesWhatIsNone) {
  const SweepFolder folder("axes: {seed: 1..3}\n");
  folder.write("text.db", "this is no database, whatever its name says: " + std::string(4096, 'x'));
  folder.write("empty.db", "");
  {
    SQLite::Database other(folder.path("other.db").string(),
                           SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    other.exec("CREATE TABLE songs (name TEXT)");
  }
  std::filesystem::create_directory(folder.path("folder.db"));
  const std::string text = read_file(folder.path("text.db"));
  for (const auto& one : std::map<std::string, std::string>{
           {"text.db", "text.db: is no database; name one of a sweep, or a file that is not there"},
           {"other.db", "other.db: is a database, but none of a sweep (schema 1)"},
           {"folder.db", "folder.db: is no database"},
           {"no/such/folder.db", "cannot be made: No such file"}}) {
    const std::string& file = one.first;
    EXPECT_THAT(refusal<InputError>([&] { folder.run(file); }), HasSubstr(one.second));
    EXPECT_NE(refusal<InputError>([&] { folder.digest(file); }), "nothing") << file;
  }
  EXPECT_EQ(read_file(folder.path("text.db")), text);
  EXPECT_THAT(refusal<InputError>([&] { folder.digest("none.db"); }),
              HasSubstr("none.db: is not there; name a sweep's database"));
  EXPECT_EQ(folder.run("empty.db").done, 3u) << "as sqlite3 itself takes an empty file";
}

TEST(SweepDatabase, RefusesOneWithMoreInItThanASweepMakes) {
  const SweepFolder folder("axes: {seed: 1..3}\n");
  folder.run();
  std::filesystem::copy_file(folder.path("sweep.db"), folder.path("other.db"));
  SQLite::Database(folder.path("sweep.db").string(), SQLite::OPEN_READWRITE)
      .exec("CREATE TRIGGER t AFTER INSERT ON points BEGIN DELETE FROM points; END");
  EXPECT_THAT(refusal<InputError>([&] { folder.run(); }), HasSubstr("none of a sweep"));
  SQLite::Database(folder.path("other.db").string(), SQLite::OPEN_READWRITE)
      .exec("UPDATE meta SET value = '2' WHERE key = 'schema'");
  EXPECT_THAT(refusal<InputError>([&] { folder.run("other.db"); }),
              HasSubstr("other.db: has schema '2'; this program has schema 1"));
}

// It is refused, or all that can be read of it is read; nothing else happens to it.
TEST(SweepDatabase, CutShortOrDamagedIsRefusedAndStaysAsItIs) {
  const SweepFolder folder;
  folder.run();
  const std::string whole = read_file(folder.path("sweep.db"));
  ASSERT_GT(whole.size(), 20'000u);
  int refused = 0;
  const auto feed = [&](const std::string& bytes) {
    folder.write("bad.db", bytes);
    try {
      EXPECT_EQ(folder.run("bad.db").failed, 0u);
    } catch (const InputError& error) {
      ++refused;
      EXPECT_THAT(error.what(), HasSubstr("bad.db: "));
      EXPECT_EQ(read_file(folder.path("bad.db")), bytes);
    }
    for (const char* end : {"", "-wal", "-shm"})
      std::filesystem::remove(folder.path("bad.db" + std::string(end)));
  };
  for (std::size_t size = 1; size < whole.size(); size += whole.size() / 12 + 1)
    feed(whole.substr(0, size));
  EXPECT_GE(refused, 12);
  for (std::size_t page = 0; page < whole.size() / 4096; page += 2) {
    std::string damaged = whole;
    damaged.replace(page * 4096 + 3, 40, std::string(40, '\xff'));
    feed(damaged);
  }
  EXPECT_GE(refused, 14);
}

// Nothing of what was finished is lost, and the sweep goes on where there is room again.
TEST(SweepDatabase, OnAFullDiskKeepsWhatItHas) {
  const SweepFolder folder;
  folder.run("whole.db");
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{60'000, 60'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const std::string said = refusal<WorldError>([&] { folder.run(); });
    ::_exit(said.find("sweep.db: cannot be written or read whole") != said.npos &&
                    said.find("are safe: make room") != said.npos
                ? 0
                : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  const std::uint64_t kept = SweepStore::read(folder.path("sweep.db")).counts().done;
  EXPECT_GT(kept, 0u);
  EXPECT_LT(kept, 100u);
  const SweepRunOutcome rest = folder.run();
  EXPECT_EQ(rest.before, kept);
  EXPECT_EQ(rest.before + rest.done, 100u);
  EXPECT_EQ(folder.digest(), folder.digest("whole.db"));
}

TEST(SweepDatabase, DigestIsOfResultsNotOfClocks) {
  const SweepFolder folder("axes: {seed: 1..3}\n");
  folder.run("a.db");
  SweepTools slower = tools();
  slower.evaluate = [](const std::string& what, const json& settings) {
    ::usleep(3000);
    return testing::evaluate(what, settings);
  };
  folder.run("b.db", slower);
  EXPECT_EQ(folder.digest("a.db"), folder.digest("b.db"));
  slower.evaluate = [](const std::string& what, const json& settings) {
    json result = testing::evaluate(what, settings);
    if (settings["seed"] == 2) result["tokens_per_s"] = 7;
    return result;
  };
  folder.run("c.db", slower);
  EXPECT_NE(folder.digest("a.db"), folder.digest("c.db"));
}

}  // namespace
}  // namespace lingua
