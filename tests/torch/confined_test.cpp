// A program that slipped through all checks, where a worker would run it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "runtime/base/temporary.h"
#include "tests/support/program.h"

namespace lingua::testing {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class ConfinedProgram : public ::testing::Test {
 protected:
  void SetUp() override { std::ofstream(folder_.file("kept")) << "secret"; }

  std::vector<std::string> run(const std::string& how) const {
    const Outcome outcome = run_program({CONFINED_PROGRAM, how, folder_.path().string()});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    std::istringstream text(outcome.out);
    std::vector<std::string> lines;
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    EXPECT_GE(lines.size(), 12U) << outcome.out;
    return lines;
  }
  bool made() const { return std::filesystem::exists(folder_.file("made")); }

  TemporaryFolder folder_;
};

TEST_F(ConfinedProgram, ComputesTheSameAndOpensNoFile) {
  const std::vector<std::string> confined = run("confined");
  if (confined.front().starts_with("missing")) GTEST_SKIP() << confined.front();
  EXPECT_FALSE(made());  // LibTorch itself does not notice
  EXPECT_THAT(confined,
              Contains(AllOf(StartsWith("read: refused: "), HasSubstr("unable to open file"))));

  const std::vector<std::string> free = run("free");
  EXPECT_TRUE(made()) << "without that, both can be done";
  EXPECT_THAT(free, Each(Not(HasSubstr("refused"))));
  EXPECT_THAT(free, Contains("computes on chosen cores: true"));
  for (const std::string& line : free) {
    if (line.starts_with("read") || line.starts_with("write")) continue;
    EXPECT_THAT(confined, Contains(line));
  }
}

}  // namespace
}  // namespace lingua::testing
