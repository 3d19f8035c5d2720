// The main job at its real size: BLOOM-560m's shape, random weights, every way of spreading it.

#include "tests/cli/lingua_fixture.h"

namespace lingua::testing {
namespace {

nlohmann::json tokens_of(const std::vector<std::string>& arguments) {
  const Outcome outcome = lingua(arguments);
  if (outcome.exit_code != 0) {
    ADD_FAILURE() << outcome.err;
    return {};
  }
  nlohmann::json tokens;
  const auto json = outcome.json();
  for (const auto& request : json["requests"]) tokens.push_back(request["tokens"]);
  return tokens;
}

class Bloom560m : public LinguaTest,
                  public ::testing::WithParamInterface<std::vector<std::string>> {
 protected:
  // Written once per process: a gigabyte.
  static const std::string& model() {
    static TemporaryFolder folder;
    static const std::string path = [] {
      const std::string made = folder.file("bloom-560m");
      const Outcome outcome = lingua({"model", "random", "bloom-560m", "--seed", "7", "-o", made});
      if (outcome.exit_code != 0) throw std::runtime_error(outcome.err);
      return made;
    }();
    return path;
  }
  std::vector<std::string> job() const {
    return std::vector<std::string>{
               "--model", model(),        "--prompt-length", "12", "--max-tokens",
               "6",       "--ignore-eos", "--threads",       "2",  "--json"} +
           GetParam();
  }
};

TEST_P(Bloom560m, GivesTheSameTokensHoweverItIsSpread) {
  const auto reference = tokens_of(std::vector<std::string>{"reference"} + job());
  ASSERT_EQ(reference.size(), 1U);
  ASSERT_EQ(reference[0].size(), 6U);
  for (const char* workers : {"1", "2", "3", "4"}) {
    EXPECT_EQ(tokens_of(std::vector<std::string>{"run", "--local", "--workers", workers,
                                                 "--planner", "even"} +
                        job()),
              reference)
        << workers << " workers";
  }
  EXPECT_EQ(tokens_of(std::vector<std::string>{"emulate", "--cluster", kThreePhones, "--planner",
                                               "even"} +
                      job()),
            reference);
}

INSTANTIATE_TEST_SUITE_P(Ways, Bloom560m,
                         ::testing::Values(std::vector<std::string>{},
                                           std::vector<std::string>{"--no-kv-cache"}),
                         [](const auto& info) {
                           return info.param.empty() ? "WithCache" : "WithoutCache";
                         });

}  // namespace
}  // namespace lingua::testing
