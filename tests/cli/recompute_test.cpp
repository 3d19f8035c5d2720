// Norms that are computed again, through the command line: fewer bytes, the same tokens, in all worlds.

#include "tests/cli/lingua_fixture.h"

namespace lingua::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class RecomputedNorms : public LinguaTest {
 protected:
  static std::vector<std::string> job(const std::vector<std::string>& verb,
                                      const std::string& recompute) {
    return verb + std::vector<std::string>{"--planner", "even",        "--rule",  "lingualinked",
                                           "--json",    "--recompute", recompute, "--max-tokens",
                                           "6",         "--ignore-eos"};
  }
  static json facts(const std::vector<std::string>& arguments) {
    const Outcome outcome = lingua(arguments);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.exit_code == 0 ? outcome.json() : json();
  }
};

TEST_F(RecomputedNorms, HalveTheBytesOfHiddenStatesAndTheEstimateKnows) {
  const std::vector<std::string> sim = {"simulate", "bloom-560m", "--cluster", kThreePhones};
  const json sent = facts(job(sim, "none"));
  const json again = facts(job(sim, "norms"));
  const double bytes = sent["bytes_per_token"].get<double>();
  EXPECT_LT(again["bytes_per_token"].get<double>(), 0.55 * bytes);
  for (const json& run : {sent, again}) {
    const double estimated = run["plan"]["estimate"]["tokens_per_s"].get<double>();
    EXPECT_NEAR(run["tokens_per_s"].get<double>() / estimated, 1, 0.005);
  }
  EXPECT_GT(again["tokens_per_s"].get<double>(), sent["tokens_per_s"].get<double>());
  EXPECT_EQ(
      facts({"simulate", "bloom-560m", "--cluster", kThreePhones, "--planner", "even", "--rule",
             "lingualinked", "--json", "--max-tokens", "6", "--ignore-eos"})["bytes_per_token"],
      bytes);
}

TEST_F(RecomputedNorms, ChangeNoToken) {
  const json tokens = facts({"reference", tiny_model(), "--max-tokens", "6", "--ignore-eos",
                             "--json"})["requests"][0]["tokens"];
  for (const std::vector<std::string>& world :
       {std::vector<std::string>{"emulate", "--model", tiny_model(), "--cluster", kThreePhones},
        std::vector<std::string>{"run", "--model", tiny_model(), "--local", "--workers", "3"}}) {
    const json sent = facts(job(world, "none"));
    const json again = facts(job(world, "norms"));
    EXPECT_EQ(again["requests"][0]["tokens"], tokens) << world[0];
    EXPECT_LT(again["bytes_per_token"], sent["bytes_per_token"]) << world[0];
  }
}

TEST_F(RecomputedNorms, MayBeOfSegmentsSomeOfWhichAreInInt8) {
  const std::vector<std::string> mixed = {"emulate",    "--model", tiny_model(), "--cluster",
                                          kThreePhones, "--int8",  "1-3"};
  EXPECT_EQ(facts(job(mixed, "norms"))["requests"][0]["tokens"],
            facts(job(mixed, "none"))["requests"][0]["tokens"]);
}

TEST_F(RecomputedNorms, AreShownByInspect) {
  const auto cut = [&](const char* recompute) {
    return facts({"inspect", "bloom-560m", "--dtype", "fp32", "--rule", "lingualinked", "--json",
                  "--recompute", recompute, "--prompt-length", "1"});
  };
  const json sent = cut("none");
  const json again = cut("norms");
  EXPECT_EQ(sent["segments"][2]["input_bytes"], 8 * 1024);  // an MLP half: norm(x) and x
  EXPECT_EQ(again["segments"][2]["input_bytes"], 4 * 1024);
  EXPECT_EQ(again["segments"][2]["weights_bytes"].get<double>(),
            sent["segments"][2]["weights_bytes"].get<double>() + 2 * 4 * 1024);
  const auto after = sent["segments"][1]["last_node"].get<std::size_t>();
  EXPECT_EQ(sent["cuts"][after]["live_bytes"].get<double>() -
                again["cuts"][after]["live_bytes"].get<double>(),
            4 * 1024);
}

TEST_F(RecomputedNorms, AreRefusedUnderOtherNamesAndInPlansMadeWithoutThem) {
  expect_refused(lingua({"inspect", "bloom-560m", "--recompute", "all"}), 2,
                 {"--recompute 'all' is not known", "none or norms"});
  const std::string plan = folder_.file("plan.json");
  const std::vector<std::string> sim = {"simulate", "bloom-560m", "--cluster", kThreePhones};
  facts(job(sim, "none") + std::vector<std::string>{"--save-plan", plan});
  expect_refused(lingua(sim + std::vector<std::string>{"--rule", "lingualinked", "--recompute",
                                                       "norms", "--plan", plan}),
                 3, {"plan.json", "digest", "--recompute"});
}

}  // namespace
}  // namespace lingua::testing
