// What devices store besides what they run, through the command line: shown, saved, deployed, and of no
// effect on the tokens.

#include "tests/cli/lingua_fixture.h"

namespace lingua::testing {
namespace {

class Overlap : public LinguaTest {
 protected:
  static std::vector<std::string> job(const std::vector<std::string>& verb) {
    return verb + std::vector<std::string>{
                      "--model", tiny_model(),   "--cluster", kThreePhones,   "--planner",
                      "even",    "--max-tokens", "6",         "--ignore-eos", "--json"};
  }
  static nlohmann::json facts(const std::vector<std::string>& arguments) {
    const Outcome outcome = lingua(arguments);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.exit_code == 0 ? outcome.json() : nlohmann::json();
  }
  static std::size_t stored(const nlohmann::json& plan) {
    std::size_t sum = 0;
    for (const auto& stage : plan.at("stages")) sum += stage.at("stored_segments").size();
    return sum;
  }

  const std::vector<std::string> gain_ = {"--overlap", "gain", "--slow-down", "xiaomi-14=8"};
};

TEST_F(Overlap, IsPartOfThePlan) {
  const auto without = facts(job({"plan"}));
  EXPECT_EQ(stored(without), 0U);
  EXPECT_FALSE(without.contains("secondary"));
  const auto plan = facts(job({"plan", "--save-plan", folder_.file("plan.json")}) + gain_);
  EXPECT_GT(stored(plan), 0U);
  const auto& secondary = plan.at("secondary");
  EXPECT_EQ(secondary.at("rule"), "gain");
  EXPECT_GT(secondary.at("expected_gain").get<double>(), 0);
  ASSERT_EQ(secondary.at("scenarios").size(), 1U);
  EXPECT_EQ(secondary["scenarios"][0]["device"], "xiaomi-14");
  for (std::size_t s = 0; s < plan["stages"].size(); ++s) {
    EXPECT_EQ(plan["stages"][s]["stored_segments"], secondary["stages"][s]["stored_segments"]);
    EXPECT_EQ(plan["estimate"]["stages"][s]["weights_bytes"].get<double>(),
              without["estimate"]["stages"][s]["weights_bytes"].get<double>() +
                  secondary["stages"][s]["stored_bytes"].get<double>());
  }
  EXPECT_EQ(facts(job({"simulate", "--plan", folder_.file("plan.json")}))["plan"]["stages"],
            plan["stages"]);
}

TEST_F(Overlap, IsDeployedAndLeavesTheTokensAsTheyAre) {
  const auto reference =
      facts({"reference", tiny_model(), "--max-tokens", "6", "--ignore-eos", "--json"});
  for (const std::vector<std::string>& world :
       {std::vector<std::string>{"emulate"}, std::vector<std::string>{"run", "--local"}}) {
    for (const char* rule : {"gain", "bytes"}) {
      const auto made = facts(job(world) + std::vector<std::string>{"--overlap", rule});
      EXPECT_GT(stored(made.at("plan")), 0U) << world[0] << " " << rule;
      EXPECT_EQ(made["requests"][0]["tokens"], reference["requests"][0]["tokens"])
          << world[0] << " " << rule;
    }
  }
}

TEST_F(Overlap, OfASimulationTakesAsLongOnceItRuns) {
  const auto without = facts(job({"simulate"}));
  const auto with = facts(job({"simulate"}) + gain_);
  EXPECT_GT(stored(with.at("plan")), 0U);
  EXPECT_TRUE(with.contains("secondary"));
  EXPECT_NEAR(with["tpot_s"].get<double>(), without["tpot_s"].get<double>(), 1e-9);
  EXPECT_EQ(facts(job({"simulate"}) + gain_)["digest"], with["digest"]);
}

TEST_F(Overlap, IsShownToPeople) {
  const Outcome outcome = lingua(
      {"plan", tiny_model(), "--cluster", kThreePhones, "--planner", "even", "--overlap", "bytes"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.out, "");
  for (const char* word : {"overlap by bytes", "also ", "unchanged", "unlimited", "expected: "})
    EXPECT_THAT(outcome.err, ::testing::HasSubstr(word));
}

TEST_F(Overlap, RefusesWhatMakesNoSense) {
  const std::vector<std::string> plan = {"plan", "bloom-560m", "--cluster", kThreePhones};
  const auto refused = [&](const std::vector<std::string>& options,
                           const std::vector<std::string>& words) {
    expect_refused(lingua(plan + options), 2, words);
  };
  refused({"--overlap", "some"}, {"some", "gain", "bytes"});
  refused({"--slow-down", "xiaomi-14=2"}, {"--overlap gain or bytes"});
  refused({"--overlap", "gain", "--slow-down", "xiaomi-14"}, {"xiaomi-14", "DEVICE=FACTOR"});
  refused({"--overlap", "gain", "--slow-down", "pixel=2"}, {"pixel", "oneplus-9"});
  refused({"--overlap", "gain", "--slow-down", "xiaomi-14=0"}, {"xiaomi-14", "factor 0"});
}

}  // namespace
}  // namespace lingua::testing
