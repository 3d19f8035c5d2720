// --supply: what devices give over time, in every world that can play it.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tests/cli/lingua_fixture.h"

namespace lingua::testing {
namespace {

class Supply : public LinguaTest {
 protected:
  Supply() {
    write("slow.yaml",
          "name: slow\ndevices:\n"
          "  - {name: anna, compute: 20 MFLOP/s, memory_bandwidth: 20 MB/s, memory: 4 MB}\n"
          "  - {name: ben, compute: 20 MFLOP/s, memory_bandwidth: 20 MB/s, memory: 4 MB}\n"
          "  - {name: carla, compute: 20 MFLOP/s, memory_bandwidth: 20 MB/s, memory: 4 MB}\n"
          "links: {default: {bandwidth: 1 MB/s, latency: 5 ms}}\n");
  }
  Outcome play(const std::vector<std::string>& verb, const std::vector<std::string>& more) const {
    return lingua(verb +
                  std::vector<std::string>{
                      "--model", tiny_model(), "--cluster", folder_.file("slow.yaml"), "--planner",
                      "even", "--prompt-length", "12", "--max-tokens", "6", "--requests", "3",
                      "--in-flight", "2", "--threads", "1", "--ignore-eos", "--json"} +
                  more);
  }
  nlohmann::json done(const std::vector<std::string>& verb,
                      const std::vector<std::string>& more = {}) const {
    const Outcome outcome = play(verb, more);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.exit_code == 0 ? outcome.json() : nlohmann::json();
  }
  static double makespan_s(const nlohmann::json& run) { return run["makespan_s"].get<double>(); }
  static std::vector<nlohmann::json> tokens(const nlohmann::json& run) {
    std::vector<nlohmann::json> all;
    for (const auto& request : run["requests"]) all.push_back(request["tokens"]);
    return all;
  }
};

TEST_F(Supply, SlowsASimulationThatIsPlannedWithoutIt) {
  const auto nominal = done({"simulate"});
  const auto slow = done({"simulate"}, {"--supply", "slow:ben:0s:0.1"});
  EXPECT_GT(makespan_s(slow), 2 * makespan_s(nominal));
  EXPECT_EQ(slow["supply"], "slow:ben:0s:0.1, seed 1");
  EXPECT_TRUE(slow["plan"]["stages"].is_array());
  for (const char* part : {"stages", "estimate"})
    EXPECT_EQ(slow["plan"][part], nominal["plan"][part]);
  EXPECT_EQ(done({"simulate"}, {"--supply", "slow:ben:0s:0.1"})["digest"], slow["digest"]);
  EXPECT_EQ(done({"simulate"}, {"--supply", "slow:ben:1h:0.1"})["digest"], nominal["digest"])
      << "after the run";
  EXPECT_GT(makespan_s(done({"simulate"}, {"--supply", "bandwidth:ben:0s:0.01"})),
            1.2 * makespan_s(nominal));
  const auto drawn = [&](const char* seed) {
    return done({"simulate"}, {"--supply", "background:ben:0.3:200ms:200ms:1h", "--seed", seed});
  };
  EXPECT_EQ(drawn("1")["digest"], drawn("1")["digest"]);
  EXPECT_NE(makespan_s(drawn("1")), makespan_s(drawn("2")));
}

TEST_F(Supply, OfAFileIsThatOfTheSpecificationThatMadeIt) {
  const std::string file = folder_.file("ben.csv");
  const Outcome made = lingua({"trace", "supply", "steps:ben:100ms:200ms:0.7:0.2", "--cluster",
                               folder_.file("slow.yaml"), "-o", file});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  EXPECT_EQ(lingua({"trace", "supply", file, "--cluster", folder_.file("slow.yaml")}).out,
            read_file(file));
  const auto by_file = done({"simulate"}, {"--supply", file});
  const auto by_text = done({"simulate"}, {"--supply", "steps:ben:100ms:200ms:0.7:0.2"});
  EXPECT_EQ(by_file["digest"], by_text["digest"]);
  EXPECT_EQ(by_file["supply"], file);
}

TEST_F(Supply, ThatTakesADeviceAwayIsRecoveredFromWithTheSameTokens) {
  const auto expected = tokens(done({"emulate"}));
  const auto nominal = done({"simulate"});
  const double middle_s =
      nominal["deployment_s"].get<double>() + nominal["makespan_s"].get<double>() / 2;
  const auto left = done({"emulate"}, {"--supply", fmt::format("leaves:ben:{:.3f}s", middle_s)});
  EXPECT_EQ(left["recoveries"].size(), 1U);
  EXPECT_EQ(tokens(left), expected);
}

// Never faster than the phones; how close, experiments/04-paced-workers tells of ones that do not change.
TEST_F(Supply, SlowsPacedWorkersAsItDoesSimulatedPhones) {
  const std::vector<std::string> slow = {"--supply", "slow:ben:0s:0.25"};
  const auto simulated = done({"simulate"}, slow);
  EXPECT_GT(makespan_s(simulated), 1.5 * makespan_s(done({"simulate"})));
  const auto paced = done({"run", "--local", "--pace"}, slow);
  EXPECT_GT(makespan_s(paced), 0.98 * makespan_s(simulated));
  EXPECT_LT(makespan_s(paced), 3 * makespan_s(simulated));
  EXPECT_EQ(paced["supply"], simulated["supply"]);
  EXPECT_EQ(tokens(paced), tokens(done({"emulate"})));
}

TEST_F(Supply, ThatMeansNothingIsRefusedInOneLine) {
  const auto refused = [&](const std::string& supply, int code,
                           const std::vector<std::string>& words) {
    expect_refused(play({"simulate"}, {"--supply", supply}), code, words);
    expect_refused(play({"run", "--local", "--pace"}, {"--supply", supply}), code, words);
  };
  refused("slow:ben:2s", 2, {"'slow:ben:2s'", "slow:DEVICE:TIME:FACTOR"});
  refused("slow:dora:2s:0.5", 2, {"slow has no device 'dora' (anna ben carla)"});
  refused("slow:ben:2:0.5", 2, {"TIME '2'"});
  refused("slow:ben:2s:-1", 2, {"FACTOR '-1'"});
  refused("fast:ben:2s:2", 2, {"'fast:ben:2s:2' is no supply", "leaves:DEVICE:TIME"});
  refused(folder_.file("none.csv"), 3, {"none.csv"});
  write("bad.csv", "time_s,device,speed\n1,ben,0.5\n2,ben,-3\n");
  refused(folder_.file("bad.csv"), 3, {"bad.csv:3: speed: '-3'"});
  write("back.csv", "time_s,device,present\n1,ben,false\n2,ben,true\n");
  expect_refused(play({"run", "--local", "--pace"}, {"--supply", folder_.file("back.csv")}), 3,
                 {"back.csv: ben comes back at 2 s", "paced workers"});
  EXPECT_EQ(
      lingua({"trace", "supply", folder_.file("back.csv"), "--cluster", folder_.file("slow.yaml")})
          .exit_code,
      0)
      << "as data it is taken";
}

TEST_F(Supply, IsForWorldsThatCanPlayIt) {
  expect_refused(play({"run", "--local"}, {"--supply", "slow:ben:2s:0.5"}), 2,
                 {"--supply", "--pace"});
  expect_refused(
      lingua({"plan", "bloom-560m", "--cluster", kThreePhones, "--supply", "slow:a:b:c"}), 2,
      {"--supply"});
}

}  // namespace
}  // namespace lingua::testing
