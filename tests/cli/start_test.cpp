// What the program loads when it starts: the loader itself says (LD_DEBUG, see ld.so(8)).

#include <filesystem>

#include "tests/cli/lingua_fixture.h"

namespace lingua::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Start : public LinguaTest {
 protected:
  // On standard error, what the dynamic loader did; it binds every name that a library needs.
  static Outcome watched(std::vector<std::string> arguments) {
    const std::vector<std::string> loader = {"env", "LD_DEBUG=files", "LD_BIND_NOW=1"};
    return run_program(loader + lingua_command(std::move(arguments)));
  }
};

TEST_F(Start, LoadsLibTorchOnlyWhereAVerbNeedsIt) {
  const Outcome inspect = watched({"inspect", "bloom-560m"});
  EXPECT_EQ(inspect.exit_code, 0);
  EXPECT_THAT(inspect.err, HasSubstr("libtorch_cpu.so"));
  const std::string texts = folder_.file("texts");
  std::filesystem::create_directory(texts);
  std::filesystem::copy_file(LINGUA_SOURCE "/tests/text/golden/tinyllama.tokenizer.json",
                             texts + "/tokenizer.json");
  // With its exit code: what is refused is refused before LibTorch is loaded.
  const std::vector<std::pair<std::vector<std::string>, int>> without = {
      {{"--help"}, 0},
      {{"--version"}, 0},
      {{"plan", "--help"}, 0},
      {{"fly"}, 2},
      {{"plan", "bloom-560m", "--cluster", kThreePhones, "--requests", "0"}, 2},
      {{"plan", "bloom-560m", "--cluster", "/nonexistent.yaml"}, 3},
      {{"plan", "bloom-560m", "--cluster", kThreePhones, "--header", "nobody"}, 2},
      {{"chat", "bloom-560m", "--cluster", kThreePhones, "--exclude", "nobody"}, 2},
      {{"run", "bloom-560m", "--cluster", kThreePhones, "--objective", "beauty"}, 2},
      {{"model", "random", "bloom:hidden=16,layers=1,heads=2,vocabulary=8", "-o",
        folder_.file("m")},
       0},
      // Which tokens there are stands in the config.
      {{"run", "bloom-560m", "--cluster", kThreePhones, "--prompt-tokens", "250880"}, 2},
      {{"simulate", "bloom-560m", "--cluster", kThreePhones, "--prompt-tokens", "1,250880"}, 2},
      {{"emulate", tiny_model(), "--cluster", kThreePhones, "--prompt-tokens", "256"}, 2},
      {{"plan", "gemma3-270m", "--cluster", kThreePhones, "--prompt-tokens", "262144"}, 2},
      {{"reference", tiny_model(), "--prompt-tokens", "256"}, 2},
      {{"tokenize", "--model", texts, "--text", "Hello"}, 0},
  };
  for (const auto& [arguments, exit_code] : without) {
    const Outcome outcome = watched(arguments);
    EXPECT_EQ(outcome.exit_code, exit_code) << arguments[0];
    EXPECT_THAT(outcome.err, Not(HasSubstr("libtorch"))) << arguments[0];
  }
}

TEST_F(Start, SaysThatThePartWithLibTorchIsMissing) {
  const std::filesystem::path alone = folder_.file("lingua");
  std::filesystem::copy_file(LINGUA_PROGRAM, alone);
  EXPECT_EQ(run_program({alone, "--version"}).exit_code, 0);
  // Where it was built it is found; a broken one beside the program comes before.
  EXPECT_EQ(run_program({alone, "inspect", "bloom-560m"}).exit_code, 0);
  std::ofstream(folder_.file("lingua-torch.so")) << "no library";
  expect_refused(run_program({alone, "inspect", "bloom-560m"}), 5,
                 {"lingua-torch.so cannot be loaded", "beside the program"});
}

}  // namespace
}  // namespace lingua::testing
