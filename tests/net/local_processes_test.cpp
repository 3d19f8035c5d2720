#include "runtime/net/local_processes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>

#include "runtime/base/errors.h"
#include "runtime/base/temporary.h"

namespace lingua {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;

LocalProcess shell(const std::string& script) { return {"phone2", {"sh", "-c", script}, {}, {}}; }

std::string complaint(LocalProcesses& processes) {
  try {
    processes.check();
  } catch (const WorldError& error) {
    return error.what();
  }
  return "all well";
}

bool exists(pid_t pid) { return kill(pid, 0) == 0 || errno != ESRCH; }

TEST(LocalProcesses, QuotesTheLastLineOfOneThatFailed) {
  LocalProcesses processes;
  const pid_t pid = processes.start(shell("echo first >&2; echo the cause >&2; echo; exit 3"));
  ASSERT_TRUE(processes.wait(Seconds(10)));
  EXPECT_EQ(complaint(processes),
            "worker phone2 (pid " + std::to_string(pid) + ") ended with code 3: the cause");
}

TEST(LocalProcesses, NamesTheSignalThatKilledOne) {
  LocalProcesses processes;
  const pid_t pid = processes.start(shell("sleep 60"));
  EXPECT_EQ(complaint(processes), "all well");
  kill(pid, SIGKILL);
  ASSERT_TRUE(processes.wait(Seconds(10)));
  EXPECT_THAT(complaint(processes), EndsWith("was killed by signal 9"));
}

TEST(LocalProcesses, EndsOneThatIsStopped) {
  LocalProcesses processes;
  const pid_t pid = processes.start(shell("sleep 60"));
  const pid_t other = processes.start({"phone1", {"sh", "-c", "sleep 60"}, {}, {}});
  kill(pid, SIGSTOP);
  processes.kill("phone2");
  while (exists(pid)) processes.wait(Seconds(0.01));
  EXPECT_TRUE(exists(other));
}

TEST(LocalProcesses, NamesTheOneThatDidNotEndInOrderFirst) {
  LocalProcesses processes;
  processes.start({"phone1", {"sh", "-c", "exit 0"}, {}, {}});
  const pid_t pid = processes.start(shell("sleep 60"));
  kill(pid, SIGKILL);
  ASSERT_TRUE(processes.wait(Seconds(10)));
  EXPECT_THAT(complaint(processes), HasSubstr("phone2"));
}

TEST(LocalProcesses, NamesAProgramThatDoesNotExist) {
  LocalProcesses processes;
  processes.start({"phone1", {"/nowhere/program"}, {}, {}});
  ASSERT_TRUE(processes.wait(Seconds(10)));
  EXPECT_THAT(complaint(processes),
              AllOf(HasSubstr("code 127"),
                    HasSubstr("/nowhere/program: cannot be executed: No such file")));
}

TEST(LocalProcesses, WritesOutputToTheFilesGiven) {
  const std::string base =
      ::testing::TempDir() + "lingua_local_processes." + std::to_string(getpid());
  LocalProcesses processes;
  processes.start({"phone1", {"sh", "-c", "echo out; echo err >&2"}, base + ".out", base + ".err"});
  ASSERT_TRUE(processes.wait(Seconds(10)));
  for (const char* name : {"out", "err"}) {
    const std::string path = base + "." + name;
    std::string line;
    std::getline(std::ifstream(path) >> std::ws, line);
    EXPECT_EQ(line, name);
    std::filesystem::remove(path);
  }
}

TEST(LocalProcesses, EndsThemWithItselfAndLeavesNoZombie) {
  pid_t pid = 0;
  {
    LocalProcesses processes;
    pid = processes.start(shell("sleep 60"));
    EXPECT_TRUE(exists(pid));
  }
  EXPECT_FALSE(exists(pid));
}

TEST(LocalProcesses, KillsOneThatIgnoresTheRequestToEnd) {
  const std::string ready = ::testing::TempDir() + "lingua_ready." + std::to_string(getpid());
  LocalProcesses processes;
  const pid_t pid =
      processes.start(shell("trap '' TERM; touch " + ready + "; while true; do sleep 0.05; done"));
  while (!std::filesystem::exists(ready)) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  std::filesystem::remove(ready);
  const auto begin = std::chrono::steady_clock::now();
  processes.stop(Seconds(0.2));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  EXPECT_FALSE(exists(pid));
  EXPECT_THAT(complaint(processes), EndsWith("signal 9"));
}

// A parent in a process of its own starts a child, tells its id through a file, and is killed.
TEST(LocalProcesses, DieWhenTheirParentIsKilled) {
  const std::string file = ::testing::TempDir() + "lingua_child_pid." + std::to_string(getpid());
  const pid_t parent = fork();
  ASSERT_GE(parent, 0);
  if (parent == 0) {
    LocalProcesses processes;
    const pid_t child = processes.start(shell("exec sleep 60"));
    std::ofstream(file + ".part") << child;
    std::filesystem::rename(file + ".part", file);
    pause();
    _exit(0);
  }
  while (!std::filesystem::exists(file)) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  pid_t child = 0;
  std::ifstream(file) >> child;
  std::filesystem::remove(file);
  ASSERT_TRUE(exists(child));
  kill(parent, SIGKILL);
  for (int i = 0; i < 500 && exists(child); ++i) {
    // The orphan is init's to bury; where nobody does, it stays a zombie.
    std::ifstream stat("/proc/" + std::to_string(child) + "/stat");
    std::string id, name, state;
    if (stat >> id >> name >> state && state == "Z") break;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  std::ifstream stat("/proc/" + std::to_string(child) + "/stat");
  std::string id, name, state;
  if (stat >> id >> name >> state) {
    EXPECT_EQ(state, "Z");
  }
}

// Says what it is told, argument by argument, and ends with 3 if that was something.
const std::vector<std::string> kListens = {
    "sh", "-c", "said=$(tr '\\0' '|'); echo \"$said\" >&2; test -z \"$said\" || exit 3"};

TEST(LocalProcesses, OneThatWasStartedAheadGetsItsArgumentsAndItsName) {
  LocalProcesses processes;
  processes.start_ahead(kListens, 1);
  EXPECT_TRUE(processes.wait(Seconds(10))) << "one that waits is not waited for";
  EXPECT_EQ(complaint(processes), "all well");
  const pid_t pid = processes.start({"phone2", {"lingua", "worker", "--name", "a b", ""}, {}, {}});
  ASSERT_TRUE(processes.wait(Seconds(10)));
  EXPECT_EQ(complaint(processes), "worker phone2 (pid " + std::to_string(pid) +
                                      ") ended with code 3: worker|--name|a b||");
}

TEST(LocalProcesses, StartsAnewWhereNoneListens) {
  const TemporaryFolder folder;
  LocalProcesses processes;
  processes.start_ahead(
      {"sh", "-c", "exec 0<&-; echo done >'" + folder.file("deaf") + "'; exec sleep 60"}, 1);
  std::string said;
  while (said.empty()) std::ifstream(folder.file("deaf")) >> said;
  processes.start(shell("exit 4"));
  ASSERT_TRUE(processes.wait(Seconds(10)));
  EXPECT_THAT(complaint(processes), AllOf(HasSubstr("worker phone2"), EndsWith("code 4")));
}

TEST(LocalProcesses, ThoseThatStillWaitEndWithTheObject) {
  const TemporaryFolder folder;
  std::vector<pid_t> pids;
  {
    LocalProcesses processes;
    processes.start_ahead({"sh", "-c", "echo $$ >>'" + folder.file("pids") + "'; exec sleep 60"},
                          2);
    while (pids.size() < 2) {
      pids.clear();
      std::ifstream file(folder.file("pids"));
      for (pid_t pid = 0; file >> pid;) pids.push_back(pid);
    }
  }
  for (const pid_t pid : pids) EXPECT_FALSE(exists(pid));
}

}  // namespace
}  // namespace lingua
