// Goals, limits and fronts of plans, through the command line.

#include <filesystem>

#include "runtime/base/files.h"
#include "tests/cli/lingua_fixture.h"

namespace lingua::testing {
namespace {

class PlanVerb : public LinguaTest {
 protected:
  static Outcome plan(const std::vector<std::string>& more) {
    return lingua(std::vector<std::string>{"plan", "bloom-560m", "--cluster", kThreePhones} + more);
  }
};

// Each plan is, by its own goal, at least as good as the plan for latency.
TEST_F(PlanVerb, PlansForEachGoal) {
  const nlohmann::json fast = plan({"--json"}).json()["estimate"];
  for (const auto& [goal, field] :
       {std::pair{"ttft", "ttft_s"}, std::pair{"tpot", "tpot_s"},
        std::pair{"energy", "energy_per_token_j"}, std::pair{"latency", "latency_s"}}) {
    const Outcome outcome = plan({"--objective", goal, "--json"});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(outcome.json()["objective"], goal);
    EXPECT_EQ(outcome.json()["optimality"], "optimal") << goal;
    EXPECT_LE(outcome.json()["estimate"][field].get<double>(),
              fast[field].get<double>() * 1.000001);
  }
  const auto stages = [](const char* goal) {
    return plan({"--objective", goal, "--in-flight", "3", "--requests", "6", "--json"})
        .json()["stages"]
        .size();
  };
  EXPECT_EQ(stages("energy"), 1U);
  EXPECT_GT(stages("throughput"), 1U);
  EXPECT_EQ(plan({"--objective", "latency=1,energy=0.5", "--json"}).json()["objective"],
            "latency=1,energy=0.5");
}

TEST_F(PlanVerb, SaysWhereTheTimeOfATokenGoesAndThatOneDeviceAloneIsBetter) {
  const auto even = plan({"--planner", "even", "--json"}).json();
  const auto& time = even["token_time"];
  EXPECT_NEAR(time["compute_s"].get<double>() + time["latency_s"].get<double>() +
                  time["bytes_s"].get<double>(),
              even["estimate"]["tpot_s"].get<double>(), 1e-9);
  EXPECT_EQ(time["hops"], 3) << "two borders and the token's way back";
  EXPECT_LT(even["one_device_alone"]["value"].get<double>(), even["value"].get<double>());
  const std::string table = plan({"--planner", "even"}).err;
  EXPECT_THAT(table, ::testing::HasSubstr("a token after the first takes "));
  EXPECT_THAT(table, ::testing::HasSubstr("one device alone is better: xiaomi-14 with "));
  EXPECT_THAT(plan({}).err, ::testing::Not(::testing::HasSubstr("one device alone is better")));
}

// Where a model may be cut does not depend on how many tokens are asked for.
TEST_F(PlanVerb, CutsTheSameForOneTokenAsForMore) {
  const auto segments = [](const char* tokens) {
    const Outcome outcome =
        lingua({"plan", "bloom-3b", "--cluster",
                std::string(LINGUA_SOURCE) + "/platforms/eight-phones.yaml", "--objective", "ttft",
                "--prompt-length", "256", "--max-tokens", tokens, "--json"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.json()["segmentation"]["digest"];
  };
  EXPECT_EQ(segments("1"), segments("2"));
}

TEST_F(PlanVerb, FindsAndDrawsTheFrontBetweenGoals) {
  const std::string picture = folder_.file("front.svg");
  const Outcome outcome = plan({"--pareto", "--objective", "latency,throughput", "--in-flight", "3",
                                "--requests", "6", "--json", "--picture", picture});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const nlohmann::json front = outcome.json();
  EXPECT_EQ(front["goals"], (nlohmann::json{"latency", "throughput"}));
  ASSERT_GT(front["points"].size(), 1U);
  for (std::size_t i = 1; i < front["points"].size(); ++i) {
    const auto& before = front["points"][i - 1]["values"];
    const auto& here = front["points"][i]["values"];
    EXPECT_LT(before["latency"].get<double>(), here["latency"].get<double>());
    EXPECT_GT(before["throughput"].get<double>(), here["throughput"].get<double>());
  }
  EXPECT_EQ(read_file(picture).find("<svg"), 0U);
  const Outcome both = plan({"--pareto", "--explain"});
  EXPECT_EQ(both.exit_code, 2) << both.err;
}

TEST_F(PlanVerb, ShowsWhatComesOfSpeedsThatAreOff) {
  const auto spread_of = [&](const std::vector<std::string>& more) {
    const Outcome outcome = plan(std::vector<std::string>{"--json", "--objective", "throughput",
                                                          "--in-flight", "3", "--requests", "9"} +
                                 more);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.json().value("spread", nlohmann::json());
  };
  const auto only = spread_of({"--spread", "10%"});
  EXPECT_EQ(only["draws"], 16);
  EXPECT_NEAR(only["share"].get<double>(), 0.1, 1e-12);
  EXPECT_LT(only["tokens_per_s"]["p5"].get<double>(), only["tokens_per_s"]["p95"].get<double>());
  const auto robust = spread_of({"--robust", "10%"});
  EXPECT_GE(robust["tokens_per_s"]["mean"].get<double>(),
            only["tokens_per_s"]["mean"].get<double>() * 0.99);
  EXPECT_TRUE(spread_of({}).is_null());
  EXPECT_THAT(plan({"--spread", "1%"}).err,
              ::testing::HasSubstr("speeds and links off by up to 1% (16 draws, estimated): "));
}

TEST_F(PlanVerb, RefusesGoalsAndFloorsThatAreNone) {
  for (const auto& [option, value, said] :
       {std::tuple{"--objective", "speed", "write latency, ttft, tpot, throughput or energy"},
        std::tuple{"--objective", "latency=0", "not a number above 0"},
        std::tuple{"--battery-floor", "120%", "--battery-floor: '120%' is not accepted"},
        std::tuple{"--robust", "0.01", "--robust: '0.01' is not accepted; write 0 % to 100 %"},
        std::tuple{"--spread", "100%", "--spread 100% leaves speeds of nothing"},
        std::tuple{"--battery-floor", "20", "--battery-floor: '20' is not accepted"}}) {
    const Outcome outcome = plan({option, value});
    EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
    EXPECT_THAT(outcome.err, ::testing::HasSubstr(said));
  }
  const Outcome drained = plan({"--battery-floor", "99.99%", "--requests", "1000"});
  EXPECT_EQ(drained.exit_code, 4) << drained.err;
  EXPECT_THAT(drained.err, ::testing::HasSubstr("no plan leaves every battery at"));
}

}  // namespace
}  // namespace lingua::testing
