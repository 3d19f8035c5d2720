#include "runtime/sweep/pool.h"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <map>
#include <thread>

#include "runtime/base/errors.h"
#include "runtime/base/temporary.h"

namespace lingua {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::map<std::uint64_t, PieceOfWork> run(const std::vector<ForkPool::Work>& works,
                                         PoolOptions options) {
  ForkPool pool(std::move(options));
  std::map<std::uint64_t, PieceOfWork> ended;
  const auto take = [&] {
    for (PieceOfWork& piece : pool.wait(std::chrono::milliseconds(20)))
      ended[piece.tag] = std::move(piece);
  };
  for (std::size_t i = 0; i < works.size(); ++i) {
    while (!pool.has_room()) take();
    pool.start(i, works[i]);
  }
  while (!pool.is_idle()) take();
  return ended;
}

PieceOfWork run_one(const ForkPool::Work& work, PoolOptions options = {}) {
  return run({work}, std::move(options)).at(0);
}

TEST(ForkPool, GivesWhatEachWorkGave) {
  std::vector<ForkPool::Work> works;
  for (int i = 0; i < 50; ++i) works.push_back([i] { return std::string(i * 10'000, 'x'); });
  const auto ended = run(works, {.workers = 4});
  ASSERT_EQ(ended.size(), 50u);
  for (const auto& [tag, piece] : ended) {
    EXPECT_TRUE(piece.done) << piece.text;
    EXPECT_EQ(piece.text.size(), tag * 10'000);
  }
}

TEST(ForkPool, SaysWhyAWorkFailed) {
  const auto reason = [](const ForkPool::Work& work) {
    const PieceOfWork piece = run_one(work);
    EXPECT_FALSE(piece.done);
    return piece.text;
  };
  EXPECT_EQ(reason([]() -> std::string { throw InfeasibleError("no plan fits"); }),
            "infeasible: no plan fits");
  EXPECT_EQ(reason([]() -> std::string { throw InputError("a file"); }), "input: a file");
  EXPECT_EQ(reason([]() -> std::string { throw UsageError("a flag"); }), "usage: a flag");
  EXPECT_EQ(reason([]() -> std::string { throw WorldError("a port"); }), "world: a port");
  EXPECT_EQ(reason([]() -> std::string { throw BugError("ours"); }), "bug: ours");
  EXPECT_EQ(reason([]() -> std::string { throw std::runtime_error("theirs"); }), "error: theirs");
  EXPECT_THAT(reason([]() -> std::string { std::abort(); }),
              StartsWith("crash: ended by signal 6 (Aborted)"));
  EXPECT_THAT(reason([]() -> std::string {
                ::raise(SIGKILL);
                return "";
              }),
              HasSubstr("signal 9 (Killed), perhaps for want of memory"));
  EXPECT_EQ(reason([]() -> std::string { ::_exit(3); }),
            "crash: ended with code 3 before it was done");
  EXPECT_EQ(reason([]() -> std::string { throw InputError(std::string(100'000, 'x')); }).size(),
            2000u);
}

TEST(ForkPool, EndsWhatTakesTooLongAndNotTheOthers) {
  const auto ended = run({[]() -> std::string {
                            while (true) ::pause();
                          },
                          [] { return std::string("quick"); }},
                         {.workers = 2, .time_limit_s = 0.3});
  EXPECT_FALSE(ended.at(0).done);
  EXPECT_EQ(ended.at(0).text, "time: took longer than 0.3 s");
  EXPECT_GE(ended.at(0).seconds, 0.3);
  EXPECT_TRUE(ended.at(1).done);
  EXPECT_LT(ended.at(1).seconds, 0.3);
}

TEST(ForkPool, TakesNoMoreTextThanItsLimit) {
  const PieceOfWork piece = run_one([] { return std::string(1001, 'x'); }, {.most_bytes = 1000});
  EXPECT_FALSE(piece.done);
  EXPECT_EQ(piece.text, "gave 1001 bytes; at most 1000 are kept");
  EXPECT_TRUE(run_one([] { return std::string(1000, 'x'); }, {.most_bytes = 1000}).done);
}

TEST(ForkPool, LetsNothingOfAChildReachTheParent) {
  int touched = 0;
  const PieceOfWork piece = run_one([&] {
    touched = 1;
    ::write(STDERR_FILENO, "noise\n", 6);
    return std::to_string(touched);
  });
  EXPECT_EQ(piece.text, "1");
  EXPECT_EQ(touched, 0);
}

bool is_gone(pid_t process) {
  std::string state;
  std::ifstream status("/proc/" + std::to_string(process) + "/stat");
  return !(status >> state >> state >> state) || state == "Z" || state == "X";
}

// Waits up to five seconds for a file that holds a number.
pid_t number_in(const std::string& file) {
  for (int i = 0; i < 500; ++i) {
    pid_t number = 0;
    if (std::ifstream(file) >> number) return number;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return 0;
}

TEST(ForkPool, ChildrenDieWithTheParentHoweverThatDies) {
  const TemporaryFolder folder;
  const std::string file = folder.file("child");
  const pid_t parent = ::fork();
  ASSERT_GE(parent, 0);
  if (parent == 0) {
    ForkPool pool({});
    pool.start(0, [&]() -> std::string {
      std::ofstream(file + ".new") << ::getpid() << '\n';
      std::filesystem::rename(file + ".new", file);
      while (true) ::pause();
    });
    while (true) ::pause();
  }
  const pid_t child = number_in(file);
  ::kill(parent, SIGKILL);
  ::waitpid(parent, nullptr, 0);
  ASSERT_GT(child, 0);
  for (int i = 0; i < 500 && !is_gone(child); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_TRUE(is_gone(child));
}

}  // namespace
}  // namespace lingua
