// Requests that come over time: the same in every world, each with its own lengths.

#include <nlohmann/json.hpp>

#include "tests/cli/lingua_fixture.h"

namespace lingua::testing {
namespace {

using ::testing::HasSubstr;

class Arrivals : public LinguaTest {
 protected:
  Arrivals() {
    write("trace.csv",
          "arrival_s,prompt_tokens,output_tokens\n"
          "0,5,3\n0.02,9,6\n0.02,2,1\n0.5,7,4\n");
  }

  std::vector<std::string> job(const std::vector<std::string>& more) const {
    return std::vector<std::string>{
               "--model",      tiny_model(), "--trace",   folder_.file("trace.csv"),
               "--in-flight",  "2",          "--threads", "1",
               "--ignore-eos", "--json"} +
           more;
  }
  nlohmann::json done(const std::vector<std::string>& verb,
                      const std::vector<std::string>& more = {}) const {
    const Outcome outcome = lingua(verb + job(more));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.exit_code == 0 ? outcome.json() : nlohmann::json();
  }
  static std::vector<nlohmann::json> tokens(const nlohmann::json& run) {
    std::vector<nlohmann::json> all;
    for (const auto& request : run["requests"]) all.push_back(request["tokens"]);
    return all;
  }
};

TEST_F(Arrivals, GiveTheSameTokensInEveryWorld) {
  const auto reference = tokens(done({"reference"}));
  ASSERT_EQ(reference.size(), 4U);
  EXPECT_EQ(reference[0].size(), 3U);
  EXPECT_EQ(reference[1].size(), 6U);
  EXPECT_EQ(reference[2].size(), 1U);
  EXPECT_EQ(tokens(done({"emulate", "--cluster", kThreePhones, "--planner", "even"})), reference);
  EXPECT_EQ(tokens(done({"run", "--local", "--workers", "2", "--planner", "even"})), reference);
}

TEST_F(Arrivals, KeepTheirTimes) {
  const std::string log = folder_.file("log.csv");
  const auto run =
      done({"simulate", "--cluster", kThreePhones, "--planner", "even"}, {"--log", log});
  EXPECT_GT(run["makespan_s"].get<double>(), 0.5);
  std::vector<double> at;
  std::istringstream rows(read_file(log));
  for (std::string row; std::getline(rows, row);) {
    if (row.find(",arrival,") == std::string::npos) continue;
    std::istringstream fields(row);
    std::string start;
    for (int field = 0; field < 6; ++field) std::getline(fields, start, ',');
    at.push_back(std::stod(start));
  }
  ASSERT_EQ(at.size(), 4U);
  EXPECT_NEAR(at[1] - at[0], 0.02, 1e-9);
  EXPECT_NEAR(at[2] - at[0], 0.02, 1e-9);
  EXPECT_NEAR(at[3] - at[0], 0.5, 1e-9);
  EXPECT_GT(run["percentiles"]["p99"]["queueing_s"].get<double>(), 0) << "two may be in flight";
  const auto fast =
      done({"simulate", "--cluster", kThreePhones, "--planner", "even"}, {"--trace-rate", "10"});
  EXPECT_LT(fast["makespan_s"].get<double>(), run["makespan_s"].get<double>() - 0.3);
}

TEST_F(Arrivals, MayBeDrawnForAnyPrompts) {
  const auto simulate = [&](const std::string& arrivals) {
    const Outcome outcome = lingua({"simulate", "--cluster", kThreePhones, "--model", tiny_model(),
                                    "--trace", arrivals, "--requests", "20", "--in-flight", "4",
                                    "--max-tokens", "4", "--planner", "even", "--json"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.json();
  };
  const auto poisson = simulate("poisson:5");
  EXPECT_EQ(poisson["requests"].size(), 20U);
  EXPECT_GT(poisson["makespan_s"].get<double>(), 2);
  EXPECT_EQ(poisson["digest"], simulate("poisson:5")["digest"]) << "seeded";
  EXPECT_EQ(simulate("closed:2")["requests"].size(), 20U);
  EXPECT_EQ(simulate("bursts:5,4")["requests"].size(), 20U);
}

TEST_F(Arrivals, ThatMeanNothingAreRefusedInOneLine) {
  const auto refused = [&](const std::vector<std::string>& more, int code, const std::string& why,
                           const std::string& model = tiny_model()) {
    const Outcome outcome = lingua(
        std::vector<std::string>{"simulate", "--cluster", kThreePhones, "--model", model} + more);
    EXPECT_EQ(outcome.exit_code, code) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(why));
  };
  write("long.csv", "arrival_s,prompt_tokens,output_tokens\n0,5,3\n1,900000,6\n");
  write("back.csv", "arrival_s,prompt_tokens,output_tokens\n1,5,3\n0.5,9,6\n");
  const std::string trace = folder_.file("trace.csv");
  refused({"--trace", folder_.file("long.csv")}, 3, "long.csv: request 2: has 900000 tokens",
          "qwen2.5-0.5b");
  refused({"--trace", folder_.file("back.csv")}, 3, "back.csv");
  refused({"--trace", folder_.file("none.csv")}, 3, "none.csv");
  refused({"--trace", "poisson:-1"}, 2, "poisson");
  refused({"--trace", trace, "--prompt-tokens", "1,2"}, 2, "says how long the prompts are");
  refused({"--trace", trace, "--requests", "5"}, 2, "has only 4");
  refused({"--trace-rate", "2"}, 2, "--trace");
}

}  // namespace
}  // namespace lingua::testing
