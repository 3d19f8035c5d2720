// A real model with real text: Gemma 3 270M as people have it, a GGUF file with 4-bit weights, spread
// over workers. Skipped where the model cannot be had (experiments/fetch-model says why).

#include "tests/cli/lingua_fixture.h"

namespace lingua::testing {
namespace {

class Gemma270m : public ::testing::Test {
 protected:
  void SetUp() override {
    const Outcome fetched = run_program({LINGUA_SOURCE "/experiments/fetch-model", "gemma3-270m"});
    if (fetched.exit_code == 5) GTEST_SKIP() << "no model: " << fetched.err;
    ASSERT_EQ(fetched.exit_code, 0) << fetched.err;
    model_ = fetched.out.substr(0, fetched.out.find('\n'));
  }

  // The first request's answer to a run with these arguments.
  nlohmann::json answer(const std::vector<std::string>& arguments) const {
    const std::vector<std::string> job = {
        "--model",   model_, "--prompt", "The capital of France is", "--max-tokens", "12",
        "--threads", "1",    "--json"};
    const Outcome outcome = lingua(arguments + job);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.exit_code == 0 ? outcome.json()["requests"][0] : nlohmann::json();
  }
  static std::vector<std::string> workers(const std::string& count) {
    return {"run", "--local", "--workers", count, "--planner", "even"};
  }
  static std::vector<std::string> phones(const std::string& file) {
    return {"--cluster", std::string(LINGUA_SOURCE) + "/platforms/" + file};
  }

  std::string model_;
};

TEST_F(Gemma270m, SaysTheSameOnOneDeviceThreeWorkersAndEmulatedPhones) {
  for (const std::vector<std::string>& how :
       {std::vector<std::string>{}, {"--temperature", "0.8", "--top-k", "40", "--seed", "3"}}) {
    const nlohmann::json expected = answer(std::vector<std::string>{"reference"} + how);
    EXPECT_EQ(expected["tokens"].size(), 12U);
    EXPECT_EQ(expected["prompt"], "The capital of France is");
    const std::vector<std::string> both_ends = {"--header-keeps-last", "1"};
    for (const auto& spread : {workers("1"), workers("3"), workers("3") + both_ends,
                               std::vector<std::string>{"emulate"} + phones("three-phones.yaml")}) {
      const nlohmann::json got = answer(spread + how);
      EXPECT_EQ(got["tokens"], expected["tokens"]) << spread[0];
      EXPECT_EQ(got["text"], expected["text"]);
    }
  }
}

TEST_F(Gemma270m, ContinuesSensibly) {
  EXPECT_THAT(answer(workers("3"))["text"].get<std::string>(), ::testing::HasSubstr("France"));
}

TEST_F(Gemma270m, RunsOnPhonesThatHoldItWithSomeSegmentsInInt8Only) {
  const auto small = phones("small-memory.yaml");
  const Outcome too_large = lingua(std::vector<std::string>{"plan", model_} + small);
  expect_refused(too_large, 4, {"no plan fits", "xiaomi-14"});

  const std::vector<std::string> fit = {"--int8", "fit"};
  const nlohmann::json planned =
      lingua(std::vector<std::string>{"plan", model_, "--json"} + small + fit).json();
  const std::size_t chosen = planned["int8_segments"].size();
  EXPECT_GE(chosen, 1U);
  EXPECT_LT(chosen, 38U) << "as few as fit";
  EXPECT_GE(planned["stages"].size(), 2U) << "no phone holds it alone";
  const nlohmann::json emulated = answer(std::vector<std::string>{"emulate"} + small + fit);
  const nlohmann::json real = answer(std::vector<std::string>{"run", "--local"} + small + fit);
  EXPECT_EQ(real["tokens"], emulated["tokens"]);
  EXPECT_EQ(real["tokens"].size(), 12U);
}

TEST_F(Gemma270m, RunsTheCommandsOfTheReadme) {
  int commands = 0;
  for (const std::string& line : readme_commands()) {
    if (line.find("$model") == std::string::npos) continue;
    ++commands;
    const Outcome outcome = run_readme_command(line, model_);
    EXPECT_EQ(outcome.exit_code, 0) << line << "\n" << outcome.err;
  }
  EXPECT_GE(commands, 4);
}

}  // namespace
}  // namespace lingua::testing
