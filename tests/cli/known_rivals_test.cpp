// Clusters on which somebody else's search, by hill climbing over whole plans with the simulation as the
// judge, once found a plan of more tokens/s than ours. What it reached stands here as it was reported.

#include "tests/cli/lingua_fixture.h"

namespace lingua::testing {
namespace {

struct Rival {
  std::vector<std::string> study;
  const char* cluster;
  double tokens_per_s;
  double share;  // of it that a plan must reach
};

class KnownRival : public ::testing::TestWithParam<Rival> {};

TEST_P(KnownRival, IsNoBetterThanThePlanByMoreThanAllowed) {
  const Rival& rival = GetParam();
  const Outcome outcome =
      lingua(std::vector<std::string>{"simulate"} + rival.study +
             std::vector<std::string>{
                 "--cluster", std::string(LINGUA_SOURCE) + "/tests/cli/clusters/" + rival.cluster,
                 "--objective", "throughput", "--json"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_GE(outcome.json()["tokens_per_s"].get<double>(), rival.share * rival.tokens_per_s);
}

INSTANTIATE_TEST_SUITE_P(
    Reported, KnownRival,
    ::testing::Values(Rival{{"bloom-1b1", "--int8", "all", "--prompt-length", "64", "--max-tokens",
                             "8", "--in-flight", "8", "--requests", "32"},
                            "six-devices.yaml",
                            2.651,
                            0.995},
                      Rival{{"qwen3-0.6b", "--prompt-length", "128", "--max-tokens", "8",
                             "--in-flight", "6", "--requests", "24"},
                            "ten-devices.yaml",
                            6.073,
                            0.99},
                      Rival{{"bloom-3b", "--rule", "lingualinked", "--prompt-length", "16",
                             "--max-tokens", "16", "--in-flight", "8", "--requests", "32"},
                            "twelve-devices.yaml",
                            9.408,
                            0.99}));

}  // namespace
}  // namespace lingua::testing
