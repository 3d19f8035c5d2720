// main() of tests that simulate: each TEST runs in a process of its own, for SimGrid has one engine per process. The
// processes are forks of one that is loaded already: to load takes longer than most of these tests.
//
// LINGUA_EACH_SEED_OF=4: of a test that is made for values one by one ("Seeds/Recovery.Ends/17") those whose number is
// divisible by 4.
// With --gtest_filter or another way to choose, all that is chosen runs in this process: what one wants to debug.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

constexpr unsigned kMostSeconds = 300;  // of a test

// Empty where it passed.
std::string failure_of(const std::string& test) {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child < 0) return "cannot be started";
  if (child == 0) {
    ::alarm(kMostSeconds);
    GTEST_FLAG_SET(filter, test);
    const int code = RUN_ALL_TESTS();
    if (::testing::UnitTest::GetInstance()->test_to_run_count() == 0) std::exit(2);
    std::exit(code);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
    return fmt::format("took longer than {} s", kMostSeconds);
  if (WIFSIGNALED(status)) return fmt::format("was ended by signal {}", WTERMSIG(status));
  return "failed";
}

bool is_left_out(const std::string& test) {
  const char* every = std::getenv("LINGUA_EACH_SEED_OF");
  const auto slash = test.rfind('/');
  if (every == nullptr || slash < test.find('.') || slash == std::string::npos) return false;
  char* end = nullptr;
  const long number = std::strtol(test.c_str() + slash + 1, &end, 10);
  return *end == '\0' && number % std::max(1L, std::strtol(every, nullptr, 10)) != 0;
}

std::vector<std::string> names_of_tests() {
  std::vector<std::string> names;
  const auto& all = *::testing::UnitTest::GetInstance();
  for (int i = 0; i < all.total_test_suite_count(); ++i) {
    const ::testing::TestSuite& suite = *all.GetTestSuite(i);
    for (int j = 0; j < suite.total_test_count(); ++j) {
      const std::string name = fmt::format("{}.{}", suite.name(), suite.GetTestInfo(j)->name());
      if (!is_left_out(name)) names.push_back(name);
    }
  }
  return names;
}

}  // namespace

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  if (GTEST_FLAG_GET(filter) != "*" || GTEST_FLAG_GET(list_tests)) return RUN_ALL_TESTS();
  GTEST_FLAG_SET(brief, true);
  std::vector<std::string> failures;
  const std::vector<std::string> names = names_of_tests();
  for (const std::string& name : names) {
    const std::string failure = failure_of(name);
    if (!failure.empty()) failures.push_back(fmt::format("{} {}", name, failure));
  }
  fmt::print("{} tests, {} failed\n", names.size(), failures.size());
  for (const std::string& failure : failures) fmt::print("FAILED: {}\n", failure);
  return failures.empty() && !names.empty() ? 0 : 1;
}
