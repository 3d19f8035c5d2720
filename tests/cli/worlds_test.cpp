// The main job through the command line: the same tokens in every world, however the model is spread.

#include "tests/cli/lingua_fixture.h"

namespace lingua::testing {
namespace {

using Tokens = std::vector<std::vector<std::int64_t>>;

Tokens tokens_of(const Outcome& outcome) {
  if (outcome.exit_code != 0) {
    ADD_FAILURE() << outcome.err;
    return {};
  }
  Tokens tokens;
  const auto json = outcome.json();
  for (const auto& request : json["requests"]) tokens.push_back(request["tokens"]);
  return tokens;
}

// dtype, further options of the model
using Variant = std::pair<std::string, std::vector<std::string>>;

class SameTokens : public LinguaTest, public ::testing::WithParamInterface<Variant> {
 protected:
  std::vector<std::string> job() const {
    return std::vector<std::string>{"--model",      tiny_model(),   "--prompt-tokens",
                                    "5,17,200,3",   "--max-tokens", "12",
                                    "--ignore-eos", "--threads",    "1",
                                    "--json",       "--dtype",      GetParam().first} +
           GetParam().second;
  }
  Tokens expected() const {
    const Tokens tokens = tokens_of(lingua(std::vector<std::string>{"reference"} + job()));
    EXPECT_EQ(tokens.size(), 1U);
    EXPECT_EQ(tokens.at(0).size(), 12U);
    return tokens;
  }
};

TEST_P(SameTokens, OnOneToFourRealWorkers) {
  const Tokens reference = expected();
  for (const char* workers : {"1", "2", "3", "4"}) {
    EXPECT_EQ(tokens_of(lingua(std::vector<std::string>{"run", "--local", "--workers", workers,
                                                        "--planner", "even"} +
                               job())),
              reference)
        << workers << " workers";
  }
}

TEST_P(SameTokens, OnThreeEmulatedPhones) {
  EXPECT_EQ(tokens_of(lingua(std::vector<std::string>{"emulate", "--cluster", kThreePhones,
                                                      "--planner", "even"} +
                             job())),
            expected());
}

TEST_P(SameTokens, WithPositionsAndMasksOnResidualPaths) {
  EXPECT_EQ(
      tokens_of(lingua(std::vector<std::string>{"emulate", "--cluster", kThreePhones, "--planner",
                                                "even", "--rule", "lingualinked"} +
                       job())),
      expected());
}

TEST_P(SameTokens, WhereTheHeaderKeepsBothEnds) {
  const std::vector<std::string> ends = {"--planner", "even", "--header-keeps-last", "2"};
  const Tokens reference = expected();
  for (const std::vector<std::string>& world :
       {std::vector<std::string>{"run", "--local", "--workers", "3"},
        {"emulate", "--cluster", kThreePhones, "--rule", "lingualinked"}}) {
    const Outcome outcome = lingua(world + job() + ends);
    EXPECT_EQ(tokens_of(outcome), reference) << world[0];
    const auto stages = outcome.json()["plan"]["stages"];
    EXPECT_EQ(stages.size(), 4U);
    EXPECT_EQ(stages.front()["device"], stages.back()["device"]);
  }
}

INSTANTIATE_TEST_SUITE_P(Variants, SameTokens,
                         ::testing::Values(Variant{"fp32", {}}, Variant{"bf16", {}},
                                           Variant{"fp32", {"--no-kv-cache"}},
                                           Variant{"bf16", {"--no-kv-cache"}}),
                         [](const auto& info) {
                           return info.param.first +
                                  (info.param.second.empty() ? "WithCache" : "WithoutCache");
                         });

TEST_F(LinguaTest, ComputesInTheDtypeOfTheCheckpointUnlessAskedOtherwise) {
  const auto dtype = [](const std::vector<std::string>& arguments) {
    return lingua(arguments + std::vector<std::string>{"--json"}).json()["dtype"];
  };
  const std::vector<std::string> few = {"--prompt-tokens", "1,2,3", "--max-tokens", "6",
                                        "--ignore-eos"};
  for (const std::string stored : {"fp32", "bf16"}) {
    const std::string model = folder_.file(stored);
    ASSERT_EQ(lingua({"model", "random", "bloom:hidden=64,layers=4,heads=4,vocabulary=256",
                      "--dtype", stored, "-o", model})
                  .exit_code,
              0);
    const Outcome plain = lingua(std::vector<std::string>{"reference", model, "--json"} + few);
    const Outcome asked =
        lingua(std::vector<std::string>{"reference", model, "--json", "--dtype", stored} + few);
    EXPECT_EQ(tokens_of(plain), tokens_of(asked));
    EXPECT_EQ(plain.json()["dtype"], stored);
    const std::vector<std::string> plan = {"plan", model, "--cluster", kThreePhones};
    EXPECT_EQ(dtype(plan), stored);
    EXPECT_EQ(dtype(plan + std::vector<std::string>{"--dtype", "bf16"}), "bf16");
    EXPECT_THAT(lingua(plan).err, ::testing::HasSubstr(" in " + stored + " ("));
    const Outcome run = lingua(
        std::vector<std::string>{"emulate", model, "--cluster", kThreePhones, "--json"} + few);
    EXPECT_EQ(run.json()["dtype"], stored);
    EXPECT_EQ(tokens_of(run), tokens_of(plain));
    std::filesystem::remove(std::filesystem::path(model) / "model.safetensors");
    EXPECT_EQ(dtype(plan), stored) << "of shapes alone, as config.json says";
  }
  EXPECT_EQ(dtype({"plan", "bloom-560m", "--cluster", kThreePhones}), "bf16");
}

TEST_F(LinguaTest, TokensDependOnThePromptAndTheWeights) {
  const auto tokens = [](const std::string& model, const std::string& prompt) {
    return tokens_of(lingua({"reference", model, "--prompt-tokens", prompt, "--max-tokens", "8",
                             "--ignore-eos", "--json"}));
  };
  ASSERT_EQ(lingua({"model", "random", "bloom:hidden=64,layers=4,heads=4,vocabulary=256", "--seed",
                    "4", "-o", folder_.file("other")})
                .exit_code,
            0);
  const Tokens first = tokens(tiny_model(), "1,2,3");
  EXPECT_NE(first, tokens(tiny_model(), "3,2,1"));
  EXPECT_NE(first, tokens(folder_.file("other"), "1,2,3"));
}

TEST_F(LinguaTest, APromptOfTokensMayStandBeforeTheModel) {
  const Outcome outcome = lingua(
      {"reference", "--prompt-tokens", "1,2,3", tiny_model(), "--max-tokens", "2", "--json"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
}

TEST_F(LinguaTest, CachedAndRecomputedStepsGiveTheSameTokens) {
  const std::vector<std::string> job = {"--model",      tiny_model(), "--prompt-length", "9",
                                        "--max-tokens", "10",         "--dtype",         "fp32",
                                        "--ignore-eos", "--json"};
  const Tokens cached = tokens_of(lingua(std::vector<std::string>{"reference"} + job));
  const Tokens recomputed =
      tokens_of(lingua(std::vector<std::string>{"reference", "--no-kv-cache"} + job));
  ASSERT_EQ(cached.size(), 1U);
  EXPECT_EQ(cached, recomputed);
}

TEST_F(LinguaTest, ManyRequestsInFlightGiveTheTokensOfOneAtATime) {
  const auto run = [&](const char* in_flight) {
    return tokens_of(lingua({"run", "--local", "--workers", "3", "--planner", "even", "--model",
                             tiny_model(), "--requests", "5", "--in-flight", in_flight,
                             "--max-tokens", "6", "--threads", "1", "--json"}));
  };
  const Tokens one = run("1");
  ASSERT_EQ(one.size(), 5U);
  EXPECT_EQ(run("4"), one);
}

TEST_F(LinguaTest, ASimulationTwiceWithOneSeedGivesTheSameDigest) {
  const std::vector<std::string> job = {
      "simulate", "bloom-560m",   "--cluster", kThreePhones, "--requests", "4",     "--in-flight",
      "2",        "--max-tokens", "4",         "--planner",  "even",       "--json"};
  const auto first = lingua(job).json();
  const auto second = lingua(job).json();
  EXPECT_EQ(first["digest"], second["digest"]);
  EXPECT_EQ(first["digest"].get<std::string>().size(), 16U);
  EXPECT_NE(lingua(job + std::vector<std::string>{"--prompt-length", "17"}).json()["digest"],
            first["digest"]);
}

// 100,000 rows go to the coordinator by the same slow link as the answers, and every request waits for one.
TEST_F(LinguaTest, RowsOfTheLogHoldUpNoAnswer) {
  const auto run = lingua({"simulate", "bloom-560m", "--cluster",
                           std::string(LINGUA_SOURCE) + "/platforms/measured-five.yaml",
                           "--planner", "cbc", "--objective", "throughput", "--prompt-length", "16",
                           "--max-tokens", "64", "--requests", "32", "--in-flight", "1", "--json"})
                       .json();
  EXPECT_NEAR(
      run["tokens_per_s"].get<double>() / run["plan"]["estimate"]["tokens_per_s"].get<double>(), 1,
      1e-4);
}

TEST_F(LinguaTest, ThreadsOfThisMachineChangeNothingOfASimulation) {
  const std::vector<std::string> job = {"simulate",     "bloom-560m", "--cluster",
                                        kThreePhones,   "--planner",  "even",
                                        "--max-tokens", "4",          "--json"};
  const auto plain = lingua(job).json();
  const auto threads = lingua(job + std::vector<std::string>{"--threads", "3"}).json();
  EXPECT_EQ(plain["digest"], threads["digest"]);
}

TEST_F(LinguaTest, InFlightAloneAsksForAsManyRequests) {
  const std::vector<std::string> job = {"simulate",    "bloom-560m", "--cluster",    kThreePhones,
                                        "--planner",   "even",       "--max-tokens", "2",
                                        "--in-flight", "5",          "--json"};
  const auto alone = lingua(job).json();
  EXPECT_EQ(alone["workload"]["requests"], 5);
  EXPECT_EQ(alone["workload"]["in_flight"], 5);
  const Outcome fewer = lingua(job + std::vector<std::string>{"--requests", "2"});
  EXPECT_EQ(fewer.json()["workload"]["in_flight"], 2);
  EXPECT_NE(fewer.err.find("--in-flight 5: there are 2 requests"), std::string::npos) << fewer.err;
}

// The estimate knows of each length; taking the longest for all was off by half.
TEST_F(LinguaTest, PromptsOfSeveralLengthsArePlannedAsTheyCome) {
  const std::vector<std::string> job = {
      "simulate",         "bloom-560m",   "--cluster", kThreePhones,  "--objective",
      "throughput",       "--max-tokens", "8",         "--in-flight", "4",
      "--requests",       "24",           "--json",    "--planner",   "dp",
      "--prompt-lengths", "16x2,512"};
  const auto json = lingua(job).json();
  EXPECT_EQ(json["workload"]["prompt_tokens"], 512);
  EXPECT_EQ(json["workload"]["prompt_lengths"], (nlohmann::json{16, 16, 512}));
  ASSERT_EQ(json["requests"].size(), 24U);
  EXPECT_LT(json["requests"][0]["ttft_s"].get<double>(),
            json["requests"][2]["ttft_s"].get<double>());
  EXPECT_NEAR(
      json["plan"]["estimate"]["tokens_per_s"].get<double>() / json["tokens_per_s"].get<double>(),
      1, 0.02);
}

// Each repeat is a simulation of its own; they agree with the estimates.
TEST_F(LinguaTest, SimulationsShowWhatComesOfSpeedsThatAreOff) {
  const std::vector<std::string> job = {
      "simulate", "bloom-560m", "--cluster", kThreePhones, "--max-tokens", "4",     "--in-flight",
      "3",        "--requests", "9",         "--spread",   "5%",           "--json"};
  const auto json = lingua(job).json();
  const auto& simulated = json["simulated_spread"]["tokens_per_s"];
  for (const char* what : {"p5", "p50", "p95", "mean"}) {
    EXPECT_NEAR(simulated[what].get<double>() / json["spread"]["tokens_per_s"][what].get<double>(),
                1, 0.01)
        << what;
  }
  EXPECT_LT(simulated["p5"].get<double>(), simulated["p95"].get<double>());
  EXPECT_EQ(lingua(job).json()["simulated_spread"], json["simulated_spread"]);
}

TEST_F(LinguaTest, EachSeededPromptHasItsLengthInEveryWorld) {
  const std::vector<std::string> job = {"--model",          tiny_model(), "--max-tokens", "4",
                                        "--prompt-lengths", "3,9x2,5",    "--ignore-eos", "--json"};
  const Tokens expected = tokens_of(lingua(std::vector<std::string>{"reference"} + job));
  EXPECT_EQ(expected.size(), 4U);
  EXPECT_EQ(
      tokens_of(lingua(
          std::vector<std::string>{"run", "--local", "--workers", "2", "--in-flight", "3"} + job)),
      expected);
}

TEST_F(LinguaTest, RefusesLengthsThatAreNone) {
  for (const char* lengths : {"", "0", "16,", "16x0", "x3", "16x", "1.5", "16 ,3", "9999999", "-4",
                              "16x2000000", "16x600000,17x600000"}) {
    expect_refused(
        lingua({"plan", "bloom-560m", "--cluster", kThreePhones, "--prompt-lengths", lengths}), 2,
        {"--prompt-lengths", "is not accepted", "write lengths from 1 to 1048576"});
  }
  expect_refused(lingua({"plan", "bloom-560m", "--cluster", kThreePhones, "--prompt-lengths",
                         "16,100", "--prompt-length", "5"}),
                 2, {"--prompt-length"});
  expect_refused(
      lingua({"plan", "qwen3-0.6b", "--cluster", kThreePhones, "--prompt-lengths", "4,100000"}), 3,
      {"--prompt-lengths: has 100000 tokens", "40960"});
}

TEST_F(LinguaTest, EveryWorldSumsUpWithTheSameKeys) {
  const std::vector<std::string> job = {"--model",
                                        tiny_model(),
                                        "--planner",
                                        "even",
                                        "--max-tokens",
                                        "4",
                                        "--json",
                                        "--log",
                                        folder_.file("log.csv"),
                                        "--timeline",
                                        folder_.file("timeline.json")};
  const std::vector<std::string> phones = {"--cluster", kThreePhones};
  for (const auto& world :
       {std::vector<std::string>{"simulate"} + phones, std::vector<std::string>{"emulate"} + phones,
        std::vector<std::string>{"run", "--local"} + phones}) {
    const Outcome outcome = lingua(world + job);
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    const auto json = outcome.json();
    for (const char* key : {"tokens_per_s", "ttft_s", "tpot_s"})
      EXPECT_GT(json.at(key).get<double>(), 0) << key;
    EXPECT_EQ(json.at("requests").at(0).at("tokens").size(), 4U);
    EXPECT_EQ(json.at("plan").at("stages").size(), 3U);
    EXPECT_EQ(json.at("devices").size(), 3U);
    EXPECT_EQ(json.at("links").size(), 3U) << "two hops and the token's way back";
    EXPECT_EQ(json.contains("digest"), world[0] != "run");
    for (const char* key : {"version", "dtype", "rule", "cluster", "model"})
      EXPECT_NE(json.at(key), "") << key;
    EXPECT_GT(json.at("deployment_s").get<double>(), 0);
    EXPECT_GT(json.at("percentiles").at("p95").at("latency_s").get<double>(), 0);
    for (const auto& stage : json.at("plan").at("estimate").at("stages"))
      EXPECT_GT(stage.at("memory_bytes").get<double>(), 0);
    std::ifstream log(folder_.file("log.csv"));
    std::string columns;
    std::getline(log, columns);
    EXPECT_EQ(columns, "who,what,segment,request,step,start,end,bytes");
    std::ifstream timeline(folder_.file("timeline.json"));
    EXPECT_FALSE(nlohmann::json::parse(timeline).at("traceEvents").empty());
  }
}

TEST_F(LinguaTest, EnergyIsGivenWhereTheClusterStatesPower) {
  const std::vector<std::string> job = {"simulate", "bloom-560m", "--planner", "even"};
  const auto powered = lingua(job + std::vector<std::string>{"--cluster", kThreePhones, "--json"});
  ASSERT_EQ(powered.exit_code, 0) << powered.err;
  const auto json = powered.json();
  double devices = 0;
  for (const auto& device : json.at("devices")) {
    const double energy = device.at("energy_j").get<double>();
    EXPECT_GT(energy, 2 * device.at("busy_s").get<double>()) << "2 W or more, and the radios";
    devices += energy;
  }
  EXPECT_NEAR(json.at("energy_j").get<double>(), devices, 1e-9 * devices);
  EXPECT_NEAR(json.at("energy_per_token_j").get<double>(), devices / 16, 1e-9 * devices);
  double seconds = 0;
  for (const auto& link : json.at("links")) {
    const double bytes = link.at("bytes").get<double>();
    EXPECT_NEAR(link.at("energy_j").get<double>(), 0.44 * bytes / 40e6, 1e-9);
    seconds += bytes / 40e6;
  }
  EXPECT_GT(seconds, 0);

  write("plain.yaml",
        "devices: [{name: a, compute: 20 GFLOP/s, memory_bandwidth: 10 GB/s, memory: 8 GB}]\n");
  const std::vector<std::string> plain = {"--cluster", folder_.file("plain.yaml")};
  const auto silent = lingua(job + plain + std::vector<std::string>{"--json"});
  ASSERT_EQ(silent.exit_code, 0) << silent.err;
  EXPECT_FALSE(silent.json().contains("energy_j"));
  EXPECT_FALSE(silent.json().at("devices").at(0).contains("energy_j"));
  EXPECT_THAT(lingua(job + plain).err, ::testing::Not(::testing::HasSubstr("energy")));
}

TEST_F(LinguaTest, ASavedPlanIsUsedAgain) {
  const std::vector<std::string> job = {"--model", tiny_model(), "--cluster", kThreePhones,
                                        "--json"};
  const auto made = lingua(std::vector<std::string>{"plan", "--planner", "even", "--save-plan",
                                                    folder_.file("plan.json")} +
                           job);
  ASSERT_EQ(made.exit_code, 0) << made.err;
  const auto used =
      lingua(std::vector<std::string>{"simulate", "--plan", folder_.file("plan.json")} + job);
  ASSERT_EQ(used.exit_code, 0) << used.err;
  EXPECT_EQ(used.json()["plan"]["stages"], made.json()["stages"]);
}

// Gemma-like counts: two rules can give as many segments, and another model has as many too.
TEST_F(LinguaTest, ASavedPlanIsForItsSegmentation) {
  const std::string file = folder_.file("plan.json");
  const auto job = [&](const std::string& model, const std::vector<std::string>& more) {
    return std::vector<std::string>{"plan",           model, "--cluster", kThreePhones,
                                    "--max-segments", "10"} +
           more;
  };
  ASSERT_EQ(lingua(job("bloom-560m", {"--planner", "even", "--save-plan", file})).exit_code, 0);
  // Another dtype and int8 are the same cuts.
  EXPECT_EQ(lingua(job("bloom-560m", {"--plan", file, "--dtype", "fp32"})).exit_code, 0);
  EXPECT_EQ(lingua(job("bloom-560m", {"--plan", file, "--int8", "all"})).exit_code, 0);
  expect_refused(lingua(job("bloom-1b1", {"--plan", file})), 3,
                 {file, "made for 10 segments of 'bloom-560m' by rule bytes",
                  "10 segments of 'bloom-1b1'", "--max-segments"});
  expect_refused(lingua(job("bloom-560m", {"--plan", file, "--no-kv-cache"})), 3,
                 {file, "made for 10 segments"});

  std::ofstream(file) << R"({"stages": [
      {"device": "oneplus-9", "first_segment": 0, "last_segment": 4},
      {"device": "xiaomi-14", "first_segment": 5, "last_segment": 9}]})";
  const auto by_hand = lingua(job("bloom-560m", {"--plan", file}));
  EXPECT_EQ(by_hand.exit_code, 0) << by_hand.err;
  EXPECT_THAT(by_hand.err, ::testing::HasSubstr("warning: " + file + ": does not say which"));
}

// A file is not the only place that says what a plan must keep.
TEST_F(LinguaTest, ASavedPlanMustKeepToTheRules) {
  const std::string file = folder_.file("plan.json");
  const std::vector<std::string> model = {"bloom-560m", "--cluster", kThreePhones};
  const std::vector<std::string> again = std::vector<std::string>{"plan", "--plan", file} + model;
  ASSERT_EQ(lingua(std::vector<std::string>{"plan", "--planner", "even", "--header-keeps-last", "1",
                                            "--save-plan", file} +
                   model)
                .exit_code,
            0);
  EXPECT_EQ(lingua(again + std::vector<std::string>{"--explain", "--overlap", "bytes"}).exit_code,
            0);
  expect_refused(lingua(again + std::vector<std::string>{"--header-keeps-last", "2"}), 3,
                 {file, "the header keeps the last 1 segments, not 2"});
  expect_refused(lingua(again + std::vector<std::string>{"--exclude", "oneplus-6"}), 3,
                 {file, "'oneplus-6' is excluded and runs segments"});
}

TEST_F(LinguaTest, RefusesPlansThatDoNotFitTheModel) {
  const std::string file = folder_.file("plan.json");
  const std::vector<std::string> model = {"bloom-560m", "--cluster", kThreePhones};
  ASSERT_EQ(
      lingua(std::vector<std::string>{"plan", "--planner", "even", "--save-plan", file} + model)
          .exit_code,
      0);
  const auto plan = nlohmann::json::parse(std::ifstream(file));
  const auto refused = [&](const char* path, const nlohmann::json& value,
                           const std::vector<std::string>& words) {
    nlohmann::json changed = plan;
    changed[nlohmann::json::json_pointer(path)] = value;
    std::ofstream(file) << changed;
    expect_refused(lingua(std::vector<std::string>{"simulate", "--plan", file} + model), 3,
                   std::vector<std::string>{file} + words);
  };
  refused("/stages/2/last_segment", 1'000'000'000, {"ends with segment 1000000000"});
  refused("/stages/1/first_segment", 1'000'000'000, {"begins with segment 1000000000"});
  refused("/stages/1/stored_segments", {1'000'000'000}, {"stores segment 1000000000"});
  refused("/stages/1/device", "nobody", {"'nobody' is not in cluster"});
}

TEST_F(LinguaTest, InspectShowsSegmentsInInt8) {
  const auto bytes = [](const nlohmann::json& json, std::size_t segment) {
    return json["segments"][segment]["weights_bytes"].get<double>();
  };
  const std::vector<std::string> inspect = {"inspect", tiny_model(), "--json", "--int8"};
  const auto none = lingua(inspect + std::vector<std::string>{"none"}).json();
  const auto one = lingua(inspect + std::vector<std::string>{"1"}).json();
  const auto all = lingua(inspect + std::vector<std::string>{"all"}).json();
  EXPECT_EQ(one["int8_segments"], nlohmann::json({1}));
  EXPECT_EQ(bytes(one, 1), bytes(all, 1));
  EXPECT_LT(bytes(one, 1), bytes(none, 1));
  EXPECT_EQ(bytes(one, 2), bytes(none, 2));
  EXPECT_LT(all["weights_bytes"], one["weights_bytes"]);
  EXPECT_LT(one["weights_bytes"], none["weights_bytes"]);
  expect_refused(lingua(inspect + std::vector<std::string>{"fit"}), 2, {"--int8 fit", "plan"});
}

TEST_F(LinguaTest, InspectShowsTheOriginalsSegmentsAndThePublishedFlops) {
  const auto json = lingua({"inspect", "bloom-560m", "--rule", "lingualinked", "--json"}).json();
  EXPECT_EQ(json["segment_count"], 50);
  EXPECT_NEAR(json["flops"].get<double>(), 12.31e9, 0.01e9);
  const auto larger = lingua({"inspect", "bloom-3b", "--rule", "lingualinked", "--json"}).json();
  EXPECT_EQ(larger["segment_count"], 62);
  EXPECT_NEAR(larger["flops"].get<double>(), 66.07e9, 0.05e9);
}

// All but those that need a model to be fetched, or a file of the reader's own ("my-").
TEST_F(LinguaTest, TheCommandsOfTheReadmeRun) {
  int commands = 0;
  for (const std::string& line : readme_commands()) {
    if (line.find("$model") != std::string::npos) continue;
    ++commands;
    const Outcome outcome = run_readme_command(line, "");
    EXPECT_EQ(outcome.exit_code, 0) << line << "\n" << outcome.err;
  }
  EXPECT_GE(commands, 3);
}

}  // namespace
}  // namespace lingua::testing
