// A sweep that is killed again and again ends as one that is left alone.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "runtime/base/random.h"
#include "tests/sweep/sweeps.h"

namespace lingua {
namespace {

using nlohmann::json;
using testing::SweepFolder;

constexpr const char* kThousand =
    "name: thousand\naxes: {planner: [even, dp], seed: 1..250, in-flight: [1, 8]}\n";
constexpr int kWorkers = 2;

// Takes 1 to 5 ms, and notes in a file that it came to its end.
SweepTools slow_tools(const std::filesystem::path& ended) {
  SweepTools with = testing::tools();
  with.evaluate = [ended](const std::string& what, const json& settings) -> json {
    const int seed = settings["seed"];
    ::usleep(static_cast<useconds_t>(1000 + seed * 7919 % 4000));
    if (seed % 50 == 0) throw InfeasibleError("no plan fits");
    const json result = testing::evaluate(what, settings);
    const int file = ::open(ended.c_str(), O_WRONLY | O_APPEND | O_CREAT, 0666);
    const char mark = '.';
    if (::write(file, &mark, 1) != 1) ::_exit(1);
    return result;
  };
  return with;
}

pid_t start(const SweepRunRequest& request, const SweepTools& with) {
  const pid_t driver = ::fork();
  if (driver == 0) {
    try {
      run_sweep(request, with);
    } catch (const Error&) {
      ::_exit(1);
    }
    ::_exit(0);
  }
  return driver;
}

// Until so many more evaluations have ended than had now.
void wait_until(const std::filesystem::path& ended, std::uint64_t more) {
  const auto size = [&] {
    std::error_code none;
    const auto bytes = std::filesystem::file_size(ended, none);
    return none ? 0 : bytes;
  };
  const auto enough = size() + more;
  for (int i = 0; i < 120'000 && size() < enough; ++i) ::usleep(500);
}

TEST(KilledSweep, GoesOnAndEndsAsOneLeftAlone) {
  const SweepFolder folder(kThousand);
  SweepRunRequest request = folder.request("killed.db");
  request.workers = kWorkers;
  const SweepTools with = slow_tools(folder.path("ended"));
  Rng rng(20260309);
  std::uint64_t rows = 0;
  int killed = 0;
  for (; killed < 10; ++killed) {
    const pid_t driver = start(request, with);
    ASSERT_GT(driver, 0);
    wait_until(folder.path("ended"), 1 + rng.below(60));
    ::usleep(static_cast<useconds_t>(rng.below(5000)));
    ::kill(driver, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(driver, &status, 0), driver);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the sweep was too short, or could not start";
    const SweepCounts counts = SweepStore::read(request.database).counts();
    EXPECT_GE(counts.done + counts.failed, rows);
    rows = counts.done + counts.failed;
  }
  EXPECT_GT(rows, 0u);
  const SweepRunOutcome rest = run_sweep(request, with);
  EXPECT_EQ(rest.before, rows);
  EXPECT_EQ(rest.before + rest.done + rest.failed, 1000u);
  EXPECT_EQ(SweepStore::read(request.database).counts().failed, 20u);

  // Each end lost at most what was under way then.
  const auto evaluated = std::filesystem::file_size(folder.path("ended"));
  EXPECT_GE(evaluated, 980u);
  EXPECT_LE(evaluated, 980u + static_cast<unsigned>(killed * kWorkers));

  SweepRunRequest alone = request;
  alone.database = folder.path("alone.db");
  run_sweep(alone, slow_tools(folder.path("ended-alone")));
  EXPECT_EQ(folder.digest("killed.db"), folder.digest("alone.db"));
}

}  // namespace
}  // namespace lingua
