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

const std::vector<std::string> kPlan = {"plan",      "bloom-560m", "--cluster",      kThreePhones,
                                        "--planner", "even",       "--max-segments", "6"};

class Outputs : public LinguaTest {
 protected:
  // The model does not exist: what is refused is refused before it is looked at. Every verb that has the
  // first of the options would do; this is one.
  void expect_refused_first(const std::vector<std::string>& options, int code,
                            const std::vector<std::string>& words) {
    const std::string verb = options[0] == "--picture"       ? "plan"
                             : options[0] == "--output-file" ? "emulate"
                                                             : "simulate";
    expect_refused(
        lingua(std::vector<std::string>{verb, folder_.file("no-model"), "--cluster", kThreePhones} +
               options),
        code, words);
  }

  // A command with outputs of tensors: of a TorchScript file by PyTorch (tests/torch/golden).
  std::vector<std::string> reference_of_a_file() {
    const auto golden = nlohmann::json::parse(
        std::ifstream(LINGUA_SOURCE "/tests/torch/golden/torchscript.json"))["cases"]["rms_norm"];
    const std::string hex = golden["archive"];
    const std::string file = folder_.file("norm.pt");
    std::ofstream out(file, std::ios::binary);
    for (std::size_t i = 0; i < hex.size(); i += 2) {
      out.put(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
    }
    return {"reference", file, "--input", golden["input_texts"][0]};
  }

  std::string begin_of(const std::string& name) const {
    std::ifstream file(folder_.file(name), std::ios::binary);
    std::string begin(6, ' ');
    file.read(begin.data(), 6);
    return begin;
  }
};

const std::string kNpy = "\x93NUMPY";  // what numpy.save begins with

TEST_F(Outputs, ThatCannotBeWrittenAreRefusedBeforeTheWork) {
  for (const char* option : {"--log", "--timeline", "--save-plan", "--picture", "--output-file"}) {
    expect_refused_first({option, "/nonexistent/file"}, 3, {option, "/nonexistent"});
    expect_refused_first({option, folder_.file("")}, 3, {option, "is a folder"});
    expect_refused_first({option, ""}, 2, {option, "empty"});
    expect_refused_first({option, "/proc/file"}, 3, {option, "/proc"});
  }
  write("file", "");
  expect_refused(lingua({"model", "random", "bloom-560m", "-o", folder_.file("file/model")}), 3,
                 {"file", "is no folder"});
  expect_refused(lingua({"worker", "--once", "--coordinator", "tcp://127.0.0.1:9", "--name", "a",
                         "--memory-report", "/nonexistent/file"}),
                 3, {"--memory-report"});
}

TEST_F(Outputs, ThatAreTheSameFileOrAnInputAreRefused) {
  const std::string file = folder_.file("file");
  expect_refused_first({"--log", file, "--timeline", file}, 2, {"--timeline", "--log", file});
  expect_refused_first({"--picture", file, "--save-plan", file}, 2,
                       {"--picture", "--save-plan", file});
  expect_refused_first({"--output-file", file, "--log", file}, 2, {"--output-file", "--log", file});
  fs::create_symlink("file", folder_.file("link"));
  expect_refused_first({"--log", file, "--save-plan", folder_.file("link")}, 2, {"--save-plan"});
  expect_refused_first({"--picture", file, "--save-plan", folder_.file("link")}, 2, {"--picture"});
  expect_refused_first({"--output-file", file, "--log", folder_.file("link")}, 2,
                       {"--output-file"});
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
  expect_refused_first({"--picture", kThreePhones}, 2, {"--picture", "--cluster"});
  write("x.npy", "");
  expect_refused_first(
      {"--output-file", folder_.file("x.npy"), "--input-file", "x=" + folder_.file("x.npy")}, 2,
      {"--output-file", "--input-file"});
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

TEST_F(Outputs, OfPlansAndTensorsGoThroughDevicesPipesAndLinksToo) {
  fs::create_symlink("plan.svg", folder_.file("link.svg"));
  const Outcome drawn =
      lingua(kPlan + std::vector<std::string>{"--picture", folder_.file("link.svg")});
  EXPECT_EQ(drawn.exit_code, 0) << drawn.err;
  EXPECT_TRUE(fs::is_symlink(folder_.file("link.svg")));
  EXPECT_THAT(begin_of("plan.svg"), ::testing::StartsWith("<svg"));
  const Outcome shown = lingua(kPlan + std::vector<std::string>{"--picture", "/dev/stdout"});
  EXPECT_THAT(shown.out, ::testing::StartsWith("<svg"));
  EXPECT_EQ(lingua(kPlan + std::vector<std::string>{"--picture", "/dev/null"}).exit_code, 0);
  EXPECT_TRUE(fs::is_character_file("/dev/null"));

  const std::vector<std::string> reference = reference_of_a_file();
  fs::create_symlink("y.npy", folder_.file("link.npy"));
  const Outcome kept =
      lingua(reference + std::vector<std::string>{"--output-file", folder_.file("link.npy")});
  EXPECT_EQ(kept.exit_code, 0) << kept.err;
  EXPECT_TRUE(fs::is_symlink(folder_.file("link.npy")));
  EXPECT_EQ(begin_of("y.npy"), kNpy);
  ASSERT_EQ(::mkfifo(folder_.file("pipe.npy").c_str(), 0600), 0);
  const Outcome piped = run_program(
      std::vector<std::string>{
          "sh", "-c",
          "cat \"$0/pipe.npy\" >\"$0/got\" & if \"$@\"; then wait; else kill $!; exit 1; fi",
          folder_.path().string()} +
      lingua_command(reference +
                     std::vector<std::string>{"--output-file", folder_.file("pipe.npy")}));
  EXPECT_EQ(piped.exit_code, 0) << piped.err;
  EXPECT_TRUE(fs::is_fifo(folder_.file("pipe.npy")));
  EXPECT_EQ(begin_of("got"), kNpy);
  EXPECT_EQ(fs::file_size(folder_.file("got")), fs::file_size(folder_.file("y.npy")));
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
  fs::create_symlink("/dev/full", folder_.file("full.npy"));
  for (const auto& full :
       {kPlan + std::vector<std::string>{"--picture", "/dev/full", "--json"},
        reference_of_a_file() +
            std::vector<std::string>{"--output-file", folder_.file("full.npy"), "--json"}}) {
    const Outcome outcome = lingua(full);
    EXPECT_EQ(outcome.exit_code, 3);
    EXPECT_THAT(outcome.err, HasSubstr("No space left on device"));
    EXPECT_TRUE(outcome.json().is_object()) << full[0];
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
