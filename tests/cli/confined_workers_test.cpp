// What the kernel says of the workers of a run.

#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <iterator>
#include <thread>

#include "tests/cli/lingua_fixture.h"

namespace lingua::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string status_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  return {std::istreambuf_iterator<char>(file), {}};
}

// A generation that would take minutes.
TEST_F(LinguaTest, WorkersOfARunAreConfined) {
  const int not_theirs = ::open("/dev/zero", O_RDONLY);  // of this process and of the coordinator
  Program run(lingua_command({"run", "--local", "--workers", "2", "--planner", "even", "--model",
                              tiny_model(), "--prompt-length", "4", "--max-tokens", "100000",
                              "--ignore-eos"}));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (run.err().find("answering") == std::string::npos) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << run.err();
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  const std::vector<pid_t> workers = children_of(run.pid());
  EXPECT_EQ(workers.size(), 2U);
  for (const pid_t worker : workers) {
    EXPECT_THAT(status_of(worker), HasSubstr("NoNewPrivs:\t1\n"));
#ifdef LINGUA_WITH_SECCOMP
    EXPECT_THAT(status_of(worker), HasSubstr("Seccomp:\t2\n"));
#endif
    std::error_code error;  // others than root may not look further
    const fs::path process = "/proc/" + std::to_string(worker);
    const fs::path folder = fs::read_symlink(process / "cwd", error);
    if (error) continue;
    EXPECT_THAT(folder.string(), HasSubstr(" (deleted)"));
    for (const auto& open : fs::directory_iterator(process / "fd")) {
      EXPECT_THAT(fs::read_symlink(open.path(), error).string(),
                  AnyOf(StartsWith("socket:"), StartsWith("anon_inode:"), "/dev/null",
                        StartsWith("/proc/"), StartsWith("/sys/"), HasSubstr("/lingua-")));
    }
  }
  EXPECT_THAT(status_of(run.pid()), HasSubstr("NoNewPrivs:\t0\n")) << "the coordinator is not";
  ::kill(run.pid(), SIGINT);
  run.wait(std::chrono::seconds(10));
  ::close(not_theirs);
}

}  // namespace
}  // namespace lingua::testing
