// Where results go: the operating system says.

#include <sys/stat.h>

#include <filesystem>
#include <iterator>

#include "tests/cli/lingua_fixture.h"

namespace lingua::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const std::vector<std::string> kSimulate = {
    "simulate", "bloom-560m",   "--cluster", kThreePhones,     "--planner",
    "even",     "--max-tokens", "2",         "--max-segments", "6"};

class Outputs : public LinguaTest {
 protected:
  // The model does not exist: what is refused is refused before it is looked at.
  void expect_refused_first(const std::vector<std::string>& options, int code,
                            const std::vector<std::string>& words) {
    expect_refused(lingua(std::vector<std::string>{"simulate", folder_.file("no-model"),
                                                   "--cluster", kThreePhones} +
                          options),
                   code, words);
  }
};

TEST_F(Outputs, ThatCannotBeWrittenAreRefusedBeforeTheWork) {
  for (const char* option : {"--log", "--timeline", "--save-plan"}) {
    expect_refused_first({option, "/nonexistent/file"}, 3, {option, "/nonexistent"});
    expect_refused_first({option, folder_.file("")}, 3, {option, "is a folder"});
    expect_refused_first({option, ""}, 2, {option, "empty"});
    expect_refused_first({option, "/proc/file"}, 3, {option, "/proc"});
  }
  expect_refused(lingua({"plan", folder_.file("no-model"), "--cluster", kThreePhones, "--picture",
                         "/nonexistent/plan.svg"}),
                 3, {"--picture", "/nonexistent"});
  write("file", "");
  expect_refused(lingua({"model", "random", "bloom-560m", "-o", folder_.file("file/model")}), 3,
                 {"file", "is no folder"});
  expect_refused(lingua({"worker", "--coordinator", "tcp://127.0.0.1:9", "--name", "a",
                         "--memory-report", "/nonexistent/file"}),
                 3, {"--memory-report"});
}

TEST_F(Outputs, ThatAreTheSameFileOrAnInputAreRefused) {
  const std::string file = folder_.file("file");
  expect_refused_first({"--log", file, "--timeline", file}, 2, {"--timeline", "--log", file});
  fs::create_symlink("file", folder_.file("link"));
  expect_refused_first({"--log", file, "--save-plan", folder_.file("link")}, 2, {"--save-plan"});
  fs::remove(folder_.file("link"));
  fs::copy(kThreePhones, folder_.file("cluster.yaml"));
  expect_refused(
      lingua({"simulate", "bloom-560m", "--cluster", folder_.file("cluster.yaml"), "--log",
              folder_.file("../" + folder_.path().filename().string() + "/cluster.yaml")}),
      2, {"--log", "--cluster"});
  expect_refused(lingua({"simulate", tiny_model(), "--cluster", kThreePhones, "--save-plan",
                         tiny_model() + "/config.json"}),
                 2, {"--save-plan", "--model"});
  EXPECT_FALSE(fs::exists(file));
}

TEST_F(Outputs, ToDevicesPipesAndLinksGoThrough) {
  fs::create_symlink("target", folder_.file("link"));
  const Outcome outcome =
      lingua(kSimulate + std::vector<std::string>{"--log", "/dev/null", "--timeline", "/dev/null",
                                                  "--save-plan", folder_.file("link")});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  EXPECT_TRUE(fs::is_symlink(folder_.file("link")));
  EXPECT_GT(fs::file_size(folder_.file("target")), 0U);
  const Outcome shown = lingua(kSimulate + std::vector<std::string>{"--log", "/dev/stdout"});
  EXPECT_THAT(shown.out, ::testing::StartsWith("who,what,segment,"));
}

TEST_F(Outputs, ThatFailInTheEndCostNoResult) {
  for (const char* option : {"--log", "--timeline", "--save-plan"}) {
    const Outcome outcome =
        lingua(kSimulate + std::vector<std::string>{option, "/dev/full", "--json"});
    EXPECT_EQ(outcome.exit_code, 3);
    EXPECT_THAT(outcome.err, HasSubstr("/dev/full"));
    EXPECT_THAT(outcome.err, HasSubstr("No space left on device"));
    EXPECT_TRUE(outcome.json().is_object());
    EXPECT_TRUE(fs::is_character_file("/dev/full"));
  }
  std::string command = LINGUA_PROGRAM;
  for (const std::string& word : kSimulate) command += " '" + word + "'";
  command += " --json --log " + folder_.file("log.csv") + " > /dev/full";
  const Outcome full = run_program({"sh", "-c", command});
  EXPECT_EQ(full.exit_code, 3);
  EXPECT_THAT(full.err, HasSubstr("standard output"));
  EXPECT_GT(fs::file_size(folder_.file("log.csv")), 100U) << "the other result is written";
  EXPECT_EQ(run_program({"sh", "-c", LINGUA_PROGRAM " inspect bloom-560m > /dev/full"}).exit_code,
            3);
}

TEST_F(Outputs, ANameCannotWriteToTheTerminal) {
  write("cluster.yaml",
        "name: \"evil \\e[2J \\u202e name\"\ndevices:\n"
        "  - {name: a, compute: 20 GFLOP/s, memory_bandwidth: 10 GB/s, memory: 8 GB}\n");
  const Outcome outcome = lingua(
      {"simulate", "bloom-560m", "--cluster", folder_.file("cluster.yaml"), "--max-tokens", "1"});
  EXPECT_EQ(outcome.err.find('\x1b'), std::string::npos) << outcome.err;
  EXPECT_EQ(outcome.err.find("\u202e"), std::string::npos) << outcome.err;
  const Outcome refused = lingua({"plan", "bloom-560m", "--cluster", "no\x1b[2J\xc2\x9b\xff.yaml"});
  EXPECT_EQ(refused.exit_code, 3);
  EXPECT_THAT(refused.err, HasSubstr("no\\x1b[2J\\x9b\xef\xbf\xbd.yaml"));
}

}  // namespace
}  // namespace lingua::testing
