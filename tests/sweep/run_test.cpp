// Runs, and runs that go on.

#include <gmock/gmock.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <map>

#include "tests/sweep/sweeps.h"

namespace lingua {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::refusal;
using ::testing::StartsWith;
using testing::SweepFolder;
using testing::tools;

std::vector<SweepRow> rows_of(const std::filesystem::path& database) {
  std::vector<SweepRow> rows;
  SweepStore::read(database).for_each([&](const SweepRow& row) { rows.push_back(row); });
  return rows;
}

TEST(SweepRun, GivesEachPointARowWithAllThatItIs) {
  const SweepFolder folder;
  SweepTools with = tools();
  with.resolve = [](const json&) { return json{{"files", {{"toy", "d1"}}}}; };
  const SweepRunOutcome outcome = folder.run("sweep.db", with);
  EXPECT_EQ(outcome.done, 100u);
  EXPECT_EQ(outcome.failed + outcome.before, 0u);
  EXPECT_FALSE(outcome.stopped);
  const SweepPoints points(load_sweep(folder.path("sweep.yaml"), testing::check_setting));
  auto point = points.next(0);
  for (const SweepRow& row : rows_of(folder.path("sweep.db"))) {
    ASSERT_TRUE(point);
    EXPECT_EQ(static_cast<std::uint64_t>(row.number), point->number);
    EXPECT_EQ(row.id, configuration_of("simulate", point->settings, with.resolve).id);
    EXPECT_EQ(json::parse(row.settings), (json{{"what", "simulate"},
                                               {"settings", point->settings},
                                               {"resolved", {{"files", {{"toy", "d1"}}}}}}));
    EXPECT_EQ(task_of(row).settings, point->settings);
    EXPECT_EQ(json::parse(row.axes), point->axes);
    EXPECT_TRUE(row.done);
    const int seed = point->settings["seed"];
    EXPECT_EQ(json::parse(row.results), (json{{"tokens_per_s", static_cast<double>(seed) / 3},
                                              {"latency.mean_s", 1.0 / seed},
                                              {"latency.planner", point->settings["planner"]}}));
    EXPECT_EQ(row.version, "1.0");
    EXPECT_EQ(row.seed, seed);
    EXPECT_EQ(row.finished.size(), 20u);
    point = points.next(point->number + 1);
  }
  EXPECT_FALSE(point);
  for (const char* end : {"-wal", "-shm", ".lock"})
    EXPECT_FALSE(std::filesystem::exists(folder.path(std::string("sweep.db") + end))) << end;
}

TEST(SweepRun, RunsNoPointTwice) {
  const SweepFolder folder;
  folder.run();
  const std::string digest = folder.digest();
  SweepTools never = tools();
  never.evaluate = [](const std::string& what, const json&) -> json {
    throw BugError("ran again");
  };
  const SweepRunOutcome again = folder.run("sweep.db", never);
  EXPECT_EQ(again.before, 100u);
  EXPECT_EQ(again.done + again.failed, 0u);
  EXPECT_EQ(folder.digest(), digest);
}

TEST(SweepRun, HasARowWithTheReasonForAPointThatFails) {
  const SweepFolder folder("axes: {seed: 1..6}\n");
  SweepTools with = tools();
  with.evaluate = [](const std::string& what, const json& settings) -> json {
    switch (settings["seed"].get<int>()) {
      case 2: throw InfeasibleError("no plan fits: 3 GB are missing");
      case 3:
        std::signal(SIGSEGV, SIG_DFL);  // sanitizers would take their time to tell
        std::raise(SIGSEGV);
        break;
      case 4:
        while (true) ::pause();
      case 5: std::exit(9);
    }
    return {{"ok", true}};
  };
  SweepRunRequest request = folder.request();
  request.time_limit_s = 3;
  const SweepRunOutcome outcome = run_sweep(request, with);
  EXPECT_EQ(outcome.done, 2u);
  EXPECT_EQ(outcome.failed, 4u);
  EXPECT_EQ(outcome.first_failures.size(), 3u);
  std::vector<std::string> reasons;
  for (const SweepRow& row : rows_of(request.database)) {
    EXPECT_EQ(row.done, row.reason.empty());
    EXPECT_EQ(row.done, !row.results.empty());
    reasons.push_back(row.reason);
  }
  EXPECT_THAT(reasons, ElementsAre("", "infeasible: no plan fits: 3 GB are missing",
                                   StartsWith("crash: ended by signal 11 (Segmentation fault)"),
                                   "time: took longer than 3 s",
                                   StartsWith("crash: ended with code 9"), ""));

  EXPECT_EQ(run_sweep(request, tools()).before, 6u) << "what failed has ended too";
  request.retry_failed = true;
  const SweepRunOutcome retried = run_sweep(request, tools());
  EXPECT_EQ(retried.before, 2u);
  EXPECT_EQ(retried.done, 4u);
  for (const SweepRow& row : rows_of(request.database)) EXPECT_TRUE(row.done && row.reason.empty());
}

TEST(SweepRun, StopsWhenAskedAndGoesOnLater) {
  const SweepFolder folder;
  folder.run("whole.db");
  int asked = 0;
  const SweepRunOutcome stopped =
      run_sweep(folder.request(), tools(), nullptr, [&] { return ++asked > 10; });
  EXPECT_TRUE(stopped.stopped);
  EXPECT_LT(stopped.done, 100u);
  EXPECT_EQ(SweepStore::read(folder.path("sweep.db")).counts().done, stopped.done);
  const SweepRunOutcome rest = folder.run();
  EXPECT_EQ(rest.before, stopped.done);
  EXPECT_EQ(rest.before + rest.done, 100u);
  EXPECT_EQ(folder.digest(), folder.digest("whole.db"));
}

TEST(SweepRun, TellsOfItsProgress) {
  const SweepFolder folder;
  SweepProgress last;
  run_sweep(folder.request(), tools(), [&](const SweepProgress& progress) {
    EXPECT_GE(progress.done, last.done);
    last = progress;
  });
  EXPECT_EQ(last.done, 100u);
  EXPECT_EQ(last.size, 120u);
  EXPECT_EQ(last.position, 120u);
  EXPECT_EQ(last.under_way, 0u);
}

TEST(SweepRun, KeepsWhatIsNamedAndSaysWhatNoResultHad) {
  const SweepFolder folder(
      "axes: {seed: 1..3}\nkeep: [latency.mean_s, devices.1, tokens_per_sec]\n");
  EXPECT_THAT(folder.run().never_kept, ElementsAre("tokens_per_sec"));
  EXPECT_EQ(json::parse(rows_of(folder.path("sweep.db")).at(1).results),
            (json{{"latency.mean_s", 0.5}, {"devices.1.busy_s", 4}}));
  EXPECT_THAT(SweepFolder("axes: {seed: 1..3}\nkeep: [latency]\n").run().never_kept, IsEmpty());
}

TEST(SweepRun, RefusesAnotherVersionUnlessItIsAllowed) {
  const SweepFolder folder;
  int asked = 0;
  run_sweep(folder.request(), tools(), nullptr, [&] { return ++asked > 10; });
  SweepTools newer = tools();
  newer.version = "2.0";
  EXPECT_THAT(refusal<InputError>([&] { folder.run("sweep.db", newer); }),
              HasSubstr("sweep.db: was made by version 1.0, this is 2.0; name another database"));
  SweepRunRequest request = folder.request();
  request.allow_other_version = true;
  const SweepRunOutcome outcome = run_sweep(request, newer);
  std::map<std::string, std::uint64_t> versions;
  for (const SweepRow& row : rows_of(request.database)) ++versions[row.version];
  EXPECT_EQ(versions["1.0"], outcome.before);
  EXPECT_EQ(versions["2.0"], outcome.done);
  EXPECT_EQ(outcome.before + outcome.done, 100u);
}

TEST(SweepRun, RefusesADatabaseOfAnotherSweepAndFilesThatHaveChanged) {
  const SweepFolder folder("name: a\naxes: {seed: 1..3}\n");
  SweepTools with = tools();
  with.resolve = [](const json&) { return json{{"files", "v1"}}; };
  folder.run("sweep.db", with);
  const std::string digest = folder.digest();
  with.resolve = [](const json&) { return json{{"files", "v2"}}; };
  EXPECT_THAT(refusal<InputError>([&] { folder.run("sweep.db", with); }),
              HasSubstr("sweep.db: point 0 was run with other files than are there now"));
  folder.write("sweep.yaml", "name: a\naxes: {seed: 1..4}\n");
  EXPECT_THAT(refusal<InputError>([&] { folder.run(); }),
              HasSubstr("sweep.db: is of another sweep ('a', or other settings"));
  EXPECT_EQ(folder.digest(), digest);
}

TEST(SweepRun, RefusesTwoPointsThatResolveToTheSame) {
  const SweepFolder folder("axes: {seed: 1..3}\n");
  SweepTools with = tools();
  SweepStore store = SweepStore::create(
      folder.path("sweep.db"),
      {"sweep", "", load_sweep(folder.path("sweep.yaml"), nullptr).digest(), "1.0"});
  SweepRow row;
  row.id = configuration_of("simulate", {{"seed", 1}}, nullptr).id;
  row.number = 2;
  row.settings = row.axes = "{}";
  row.finished = utc_now();
  store.add(row);
  EXPECT_THAT(refusal<InputError>([&] { store.check_new(row.id, 0); }),
              HasSubstr("sweep.db: points 2 and 0 are the same"));
}

TEST(SweepPreview, CountsAndMeasuresAndWritesNothing) {
  const SweepFolder folder;
  const SweepPreview plain = preview_sweep(folder.request(), tools(), 0);
  EXPECT_EQ(plain.name, "hundred");
  EXPECT_EQ(plain.points, 100u);
  EXPECT_EQ(plain.excluded, 20u);
  EXPECT_EQ(plain.sampled, 0);
  EXPECT_EQ(plain.estimate_s, 0);
  SweepTools with = tools();
  with.evaluate = [](const std::string& what, const json& settings) -> json {
    ::usleep(20'000);
    if (settings["seed"] == 1) throw InfeasibleError("no");
    return 1;
  };
  const SweepPreview measured = preview_sweep(folder.request(), with, 6);
  EXPECT_EQ(measured.sampled, 6);
  EXPECT_GT(measured.samples_failed, 0);
  EXPECT_GE(measured.seconds_per_point, 0.02);
  EXPECT_DOUBLE_EQ(measured.estimate_s, measured.seconds_per_point * 100 / 2);
  EXPECT_FALSE(std::filesystem::exists(folder.path("sweep.db")));
}

}  // namespace
}  // namespace lingua
