// Policies, batches and prompts in pieces through the command line: the tokens of the unsplit model.

#include <functional>

#include "runtime/base/random.h"
#include "tests/cli/lingua_fixture.h"
#include "tests/support/draws.h"

namespace lingua::testing {
namespace {

using Tokens = std::vector<std::vector<std::int64_t>>;

const std::vector<std::string> kPrompts = {"--prompt-lengths",
                                           "5,70,33,9,48",
                                           "--max-tokens",
                                           "7",
                                           "--ignore-eos",
                                           "--threads",
                                           "1",
                                           "--json"};

Tokens tokens_of(const Outcome& outcome) {
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  Tokens tokens;
  if (outcome.exit_code != 0) return tokens;
  const auto json = outcome.json();
  for (const auto& request : json["requests"]) tokens.push_back(request["tokens"]);
  return tokens;
}

std::string batch_in(Rng& rng) {
  const auto most = rng.below(6);
  return most == 0 ? "auto" : std::to_string(most);
}

// As a user may ask for it.
std::vector<std::string> drawn_scheduling(Rng& rng) {
  const std::vector<std::string> policies = {"fifo", "decode-first", "shortest-first"};
  const std::vector<std::string> chunks = {"", "auto", "1", "7", "16", "40"};
  std::vector<std::string> options = {"--policy",    policies[rng.below(policies.size())],
                                      "--max-batch", batch_in(rng),
                                      "--in-flight", std::to_string(1 + rng.below(5))};
  if (const std::string& chunk = chunks[rng.below(chunks.size())]; !chunk.empty())
    options = options + std::vector<std::string>{"--chunk", chunk};
  if (rng.below(2) == 0) options = options + std::vector<std::string>{"--residuals", "relay"};
  if (rng.below(2) == 0) options = options + std::vector<std::string>{"--share-frames", "off"};
  if (rng.below(2) == 0) options = options + std::vector<std::string>{"--recompute", "norms"};
  return options;
}

class Scheduled : public LinguaTest {
 protected:
  // Draws of a world and its scheduling give the tokens of the plain loop.
  static void expect_same_tokens(const std::vector<std::string>& model, std::uint64_t seed,
                                 int draws,
                                 const std::function<std::vector<std::string>(Rng&)>& world) {
    const Tokens reference =
        tokens_of(lingua(std::vector<std::string>{"reference"} + model + kPrompts));
    ASSERT_EQ(reference.size(), 5U);
    Rng rng(seed);
    for (int i = 0; i < draws; ++i) {
      const auto options = world(rng) + drawn_scheduling(rng);
      EXPECT_EQ(tokens_of(lingua(options + model + kPrompts)), reference)
          << ::testing::PrintToString(options);
    }
  }
};

TEST_F(Scheduled, TokensAreThoseOfThePlainLoopOnEmulatedPhones) {
  expect_same_tokens({"--model", tiny_model(), "--dtype", "fp32"}, 1, draws(3), [](Rng& rng) {
    const std::string planner = rng.below(2) == 0 ? "even" : "random";
    return std::vector<std::string>{
        "emulate",   "--cluster", kThreePhones,
        "--planner", planner,     "--seed",
        "1",         "--rule",    rng.below(2) == 0 ? "bytes" : "lingualinked"};
  });
}

TEST_F(Scheduled, TokensAreThoseOfThePlainLoopOnRealWorkers) {
  for (const char* int8 : {"none", "all"}) {
    expect_same_tokens({"--model", tiny_model(), "--int8", int8}, 2, draws(5), [](Rng& rng) {
      std::vector<std::string> options = {"run",  "--local",   "--planner",
                                          "even", "--workers", std::to_string(1 + rng.below(4))};
      if (rng.below(3) == 0)
        options = options + std::vector<std::string>{"--header-keeps-last", "1"};
      return options;
    });
  }
}

// Where reading weights takes longest.
TEST_F(Scheduled, StepsRunAsOneAndThePlanKnows) {
  write("slow-memory.yaml", R"(name: slow-memory
devices:
  - {name: a, compute: 1 TFLOP/s, memory_bandwidth: 10 GB/s, memory: 8 GB}
  - {name: b, compute: 1 TFLOP/s, memory_bandwidth: 10 GB/s, memory: 8 GB}
links:
  default: {bandwidth: 1 Gbit/s, latency: 1 ms}
)");
  const auto json_of = [this](const std::vector<std::string>& options) {
    const Outcome outcome =
        lingua(std::vector<std::string>{"simulate", "bloom-560m", "--cluster",
                                        folder_.file("slow-memory.yaml"), "--planner", "even",
                                        "--in-flight", "8", "--requests", "16", "--json"} +
               options);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.json();
  };
  const auto alone = json_of({});
  const auto together = json_of({"--max-batch", "8", "--chunk", "8", "--policy", "shortest-first"});
  EXPECT_EQ(alone["devices"][0]["mean_batch"], 1);
  EXPECT_GT(together["devices"][0]["mean_batch"], 1.5);
  EXPECT_EQ(together["workload"]["policy"], "shortest-first");
  EXPECT_EQ(together["workload"]["max_batch"], 8);
  EXPECT_EQ(together["workload"]["chunk"], 8);
  EXPECT_GT(together["tokens_per_s"].get<double>(), 1.5 * alone["tokens_per_s"].get<double>());
  EXPECT_NEAR(together["plan"]["estimate"]["tokens_per_s"].get<double>() /
                  together["tokens_per_s"].get<double>(),
              1, 0.02);
}

TEST_F(Scheduled, WhatIsNoPolicyBatchOrChunkIsRefused) {
  const std::vector<std::string> verb = {"plan", "bloom-560m", "--cluster", kThreePhones};
  expect_refused(lingua(verb + std::vector<std::string>{"--policy", "lifo"}), 2,
                 {"--policy 'lifo'", "fifo, decode-first or shortest-first"});
  expect_refused(lingua(verb + std::vector<std::string>{"--max-batch", "0"}), 2,
                 {"--max-batch '0'", "auto"});
  for (const char* chunk : {"0", "-3", "some", "8x"}) {
    expect_refused(lingua(verb + std::vector<std::string>{"--chunk", chunk}), 2,
                   {"--chunk", "auto or a number from 1"});
  }
}

TEST_F(Scheduled, WhatAModelCannotHaveIsSaid) {
  const Outcome outcome =
      lingua({"plan", "bloom-560m", "--cluster", kThreePhones, "--no-kv-cache", "--chunk", "8"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.err, ::testing::HasSubstr("note: --chunk: there is no KV cache, so prompts "
                                                "stay whole"));
}

}  // namespace
}  // namespace lingua::testing
