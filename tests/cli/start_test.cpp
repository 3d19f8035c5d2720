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
  const std::vector<std::vector<std::string>> without = {
      {"--help"},
      {"--version"},
      {"plan", "--help"},
      {"fly"},
      {"plan", "bloom-560m", "--cluster", kThreePhones, "--requests", "0"},
      {"plan", "bloom-560m", "--cluster", "/nonexistent.yaml"},
      {"plan", "bloom-560m", "--cluster", kThreePhones, "--header", "nobody"},
      {"chat", "bloom-560m", "--cluster", kThreePhones, "--exclude", "nobody"},
      {"run", "bloom-560m", "--cluster", kThreePhones, "--objective", "beauty"},
      {"model", "random", "bloom:hidden=16,layers=1,heads=2,vocabulary=8", "-o", folder_.file("m")},
      {"tokenize", "--model", folder_.file("m"), "--text", "Hello"},
  };
  for (const std::vector<std::string>& arguments : without)
    EXPECT_THAT(watched(arguments).err, Not(HasSubstr("libtorch"))) << arguments[0];
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
