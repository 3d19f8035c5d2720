// --join, --lose and --wait-for-devices: devices that come and go in virtual time, and no token changes.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tests/cli/equal_phones.h"

namespace lingua::testing {
namespace {

class Join : public EqualPhones {
 protected:
  Outcome play(const std::string& verb, const std::vector<std::string>& more) const {
    return lingua(std::vector<std::string>{verb} + asked() +
                  std::vector<std::string>{"--requests", "12", "--json"} + more);
  }
  nlohmann::json done(const std::string& verb, const std::vector<std::string>& more = {}) const {
    const Outcome outcome = play(verb, more);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.exit_code == 0 ? outcome.json() : nlohmann::json();
  }
  static double rate(const nlohmann::json& run) { return run["tokens_per_s"].get<double>(); }
  static std::vector<nlohmann::json> tokens(const nlohmann::json& run) {
    std::vector<nlohmann::json> all;
    for (const auto& request : run["requests"]) all.push_back(request["tokens"]);
    return all;
  }
};

TEST_F(Join, APhoneThatJoinsRaisesThroughputWithoutAGap) {
  const auto whole = done("emulate");
  const auto two = done("emulate", {"--join", "carla:10min"});
  EXPECT_EQ(two["plan"]["stages"].size(), 2U) << "the plan is for those that are there";
  EXPECT_FALSE(two.contains("joins")) << "it has not come";
  const auto joined = done("emulate", {"--join", "carla:5s"});
  EXPECT_EQ(joined["plan"]["stages"], two["plan"]["stages"]);
  EXPECT_GT(rate(joined), 1.1 * rate(two));
  EXPECT_LT(rate(joined), rate(whole));
  EXPECT_EQ(tokens(joined), tokens(whole));
  EXPECT_EQ(tokens(two), tokens(whole));
  ASSERT_EQ(joined["joins"].size(), 1U);
  const auto& join = joined["joins"][0];
  EXPECT_EQ(join["device"], "carla");
  EXPECT_NEAR(join["joined_s"].get<double>(), 5, 0.01);
  ASSERT_EQ(joined["moves"].size(), 1U);
  const auto& move = joined["moves"][0];
  EXPECT_EQ(move["why"], "carla is there");
  EXPECT_EQ(join["first_use_s"], move["switched_s"]);
  EXPECT_GT(move["pause_s"], 0);
  const double between_tokens_s = 1.25 * two["tpot_s"].get<double>();
  EXPECT_LE(move["pause_s"].get<double>(),
            move["predicted"]["pause_s"].get<double>() + between_tokens_s);
  EXPECT_EQ(done("emulate", {"--join", "carla:5s"})["digest"], joined["digest"]);
  EXPECT_EQ(done("emulate", {"--supply", "joins:carla:5s"})["digest"], joined["digest"]);
}

// Which sends no programs, and less in the first deployment.
TEST_F(Join, AShapeSimulationTellsOfTheSameMove) {
  const std::vector<std::string> options = {"--join", "carla:5s", "--balance", "optimal"};
  const auto simulated = done("simulate", options);
  const auto emulated = done("emulate", options);
  EXPECT_EQ(simulated["moves"][0]["plan"], emulated["moves"][0]["plan"]);
  ASSERT_FALSE(simulated["joins"][0]["first_use_s"].is_null());
  EXPECT_NEAR(simulated["joins"][0]["first_use_s"].get<double>(),
              emulated["joins"][0]["first_use_s"].get<double>(), 0.05);
}

TEST_F(Join, APhoneThatComesBackIsUsedAgain) {
  const auto whole = done("emulate");
  const auto lost = done("emulate", {"--lose", "ben:5s"});
  const auto back = done("emulate", {"--lose", "ben:5s", "--join", "ben:6s"});
  EXPECT_EQ(tokens(back), tokens(whole));
  ASSERT_EQ(back["recoveries"].size(), 1U);
  ASSERT_EQ(back["joins"].size(), 1U);
  EXPECT_FALSE(back["joins"][0]["first_use_s"].is_null());
  EXPECT_GT(rate(back), rate(lost));
  EXPECT_EQ(done("emulate", {"--supply", "away:ben:5s:1s"})["digest"], back["digest"]);
}

TEST_F(Join, ARunWaitsForAPhoneWhereTheOthersCannotHoldTheModel) {
  write("small.yaml",
        "name: small\ndevices:\n"
        "  - {name: anna, compute: 100 MFLOP/s, memory_bandwidth: 40 MB/s, memory: 2500 kB}\n"
        "  - {name: ben, compute: 100 MFLOP/s, memory_bandwidth: 40 MB/s, memory: 2500 kB}\n"
        "links: {default: {bandwidth: 2 MB/s, latency: 2 ms}}\n");
  const auto on_small = [&](std::vector<std::string> more) {
    more.insert(more.end(), {"--cluster", folder_.file("small.yaml")});
    return lingua(std::vector<std::string>{"emulate", "--model", folder_.file("model"), "--planner",
                                           "dp", "--prompt-length", "12", "--max-tokens", "30",
                                           "--requests", "4", "--threads", "1", "--ignore-eos",
                                           "--json"} +
                  more);
  };
  const Outcome whole = on_small({});
  ASSERT_EQ(whole.exit_code, 0) << whole.err;
  expect_refused(on_small({"--lose", "ben:5s", "--join", "ben:15s"}), 5,
                 {"ben was lost", "what is left (anna)"});
  expect_refused(on_small({"--lose", "ben:5s", "--join", "ben:15s", "--wait-for-devices", "3"}), 5,
                 {"what is left (anna)", "no device has joined for 3 s"});
  const Outcome waited =
      on_small({"--lose", "ben:5s", "--join", "ben:15s", "--wait-for-devices", "20"});
  ASSERT_EQ(waited.exit_code, 0) << waited.err;
  const nlohmann::json run = waited.json();
  EXPECT_EQ(tokens(run), tokens(whole.json()));
  ASSERT_EQ(run["joins"].size(), 1U);
  EXPECT_GT(run["joins"][0]["first_use_s"].get<double>(), 15);
  EXPECT_EQ(run["joins"][0]["first_use_s"], run["recoveries"][0]["ready_s"]);
}

TEST_F(Join, IsARowOfTheEventLogAndALineOfTheReport) {
  const std::string file = folder_.file("log.csv");
  std::vector<std::string> options = {
      "simulate",    "bloom-560m",    "--cluster",   kThreePhones, "--planner",  "dp",
      "--objective", "throughput",    "--in-flight", "3",          "--requests", "60",
      "--join",      "xiaomi-14:50s", "--log",       file};
  const Outcome outcome = lingua(options);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("after 50.002 s: xiaomi-14 joined; a plan that uses it served "),
            std::string::npos)
      << outcome.err;
  EXPECT_NE(read_file(file).find("\nxiaomi-14,join,-1,-1,2,50.00"), std::string::npos);
}

TEST_F(Join, WhatCannotBeIsRefusedInOneLine) {
  const auto refused = [&](const std::vector<std::string>& options,
                           const std::vector<std::string>& words) {
    expect_refused(play("simulate", options), 2, words);
  };
  for (const char* wrong : {"carla", "carla:", "carla:-1s", "carla:5"})
    refused({"--join", wrong}, {"--join", wrong, "DEVICE:TIME"});
  refused({"--join", "dora:5s"}, {"--join 'dora:5s'", "'dora'", "anna ben carla"});
  refused({"--join", "carla:0s"}, {"--join 'carla:0s'", "after 0 s"});
  refused({"--join", "carla:5s", "--lose", "carla:7s", "--join", "carla:6s"},
          {"--join 'carla:6s'", "carla is there then", "--lose carla:TIME"});
  refused({"--lose", "carla:5s", "--join", "carla:5s"}, {"--join 'carla:5s'", "is lost then"});
  refused({"--join", "anna:5s", "--join", "ben:5s", "--join", "carla:5s"},
          {"all devices of equal are absent"});
  refused({"--wait-for-devices", "-1"}, {"--wait-for-devices", "-1"});
}

}  // namespace
}  // namespace lingua::testing
