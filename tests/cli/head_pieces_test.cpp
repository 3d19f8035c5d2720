// A head in pieces, through the command line: the tokens and the perplexity of the whole one, and plans that
// the whole one has none for.

#include "tests/cli/text_fixture.h"

namespace lingua::testing {
namespace {

using nlohmann::json;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Le;

constexpr int kPieces = 8;
const Arguments kInPieces = {"--head-pieces", std::to_string(kPieces)};

json tokens_of(const json& result) {
  json tokens = json::array();
  for (const json& request : result.value("requests", json::array()))
    tokens.push_back(request["tokens"]);
  return tokens;
}

// A tied head and one that is not.
class HeadInPieces : public TextTest, public ::testing::WithParamInterface<const char*> {
 protected:
  // That several devices hold pieces, of the embedding and of the head.
  static void expect_cut(const json& plan) {
    const json& stages = plan["stages"];
    ASSERT_GE(stages.size(), 2U);
    const int segments = stages.back()["last_segment"].get<int>() + 1;
    EXPECT_LT(stages.front()["last_segment"].get<int>(), kPieces - 1);
    EXPECT_GT(stages.back()["first_segment"].get<int>(), segments - kPieces);
  }

  TextModel model_ = text_model(std::string("generation/") + GetParam());
};

TEST_P(HeadInPieces, ChoosesTheTokensOfTheWholeHoweverTheyAreChosen) {
  const Arguments job = Arguments{"--model", model_.folder, "--prompt", "Hello, world!", "--prompt",
                                  "3 + 4 =", "--seed",      "7",        "--max-tokens",  "16"} +
                        kExactly;
  const std::vector<Arguments> ways = {
      {},
      {"--temperature", "1.3", "--top-k", "40"},
      {"--temperature", "1.1", "--top-p", "0.9", "--repetition-penalty", "1.3"}};
  for (const Arguments& way : ways) {
    const json whole = tokens_of(json_of(kReference + job + way));
    ASSERT_EQ(whole.size(), 2U);
    EXPECT_EQ(tokens_of(json_of(kReference + job + way + kInPieces)), whole);
    const json spread = json_of(run_on("4") + job + way + kInPieces);
    expect_cut(spread["plan"]);
    EXPECT_EQ(tokens_of(spread), whole);
    EXPECT_EQ(tokens_of(json_of(kEmulated + job + way + kInPieces)), whole);
  }
}

TEST_P(HeadInPieces, IsTheSameWhereItIsInInt8OrTheHeaderKeepsAPartOfIt) {
  const Arguments job =
      Arguments{"--model", model_.folder, "--prompt", "Hello, world!", "--max-tokens", "12"} +
      kExactly;
  for (const Arguments& form : {Arguments{"--int8", "all"}, Arguments{"--dtype", "bf16"}}) {
    const json whole = tokens_of(json_of(kReference + job + form));
    EXPECT_EQ(tokens_of(json_of(run_on("4") + job + form + kInPieces)), whole);
    for (const char* kept : {"1", "4"}) {
      EXPECT_EQ(tokens_of(json_of(run_on("3") + job + form +
                                  Arguments{"--head-pieces", "4", "--header-keeps-last", kept})),
                whole)
          << kept;
    }
  }
}

TEST_P(HeadInPieces, GivesATextTheSamePerplexityToTheLastBit) {
  write("text.txt", model_.golden["scored"]["text"]);
  const auto score = [&](const std::string& workers, const Arguments& more) {
    return json_of(
        Arguments{"score", folder_.file("text.txt"), "--model", model_.folder, "--context", "24"} +
        local_workers(workers) + kExactly + more);
  };
  const json whole = score("1", {});
  ASSERT_TRUE(whole.contains("nll"));
  const json pieces = score("4", kInPieces);
  ASSERT_TRUE(pieces.contains("nll"));
  expect_cut(pieces["plan"]);
  EXPECT_EQ(pieces["nll"], whole["nll"]);
  EXPECT_EQ(pieces["perplexity"], whole["perplexity"]);
}

INSTANTIATE_TEST_SUITE_P(Models, HeadInPieces, ::testing::Values("bloom", "tinyllama"),
                         [](const auto& info) { return std::string(info.param); });

class HeadPieces : public LinguaTest {
 protected:
  static Arguments plan(const Arguments& more) {
    return Arguments{"plan", "bloom-560m", "--cluster", kThreePhones, "--json"} + more;
  }
};

TEST_F(HeadPieces, AreRefusedWhereTheyMakeNoSense) {
  for (const char* wrong : {"0", "-2", "1025", "3.5", "all", ""}) {
    expect_refused(lingua({"inspect", "bloom-560m", "--head-pieces", wrong}), 2,
                   {"--head-pieces", std::string("'") + wrong + "'", "auto", "1 to 1024"});
  }
  expect_refused(lingua({"inspect", tiny_model(), "--head-pieces", "257"}), 2,
                 {"257 pieces", "tokens, 256"});
  expect_refused(lingua({"inspect", "bloom-560m", "--head-pieces", "40"}), 4,
                 {"64 segments (max_segments)", "79", "pieces of matrices"});
}

TEST_F(HeadPieces, AreMadeWhereASegmentWouldBeTooLarge) {
  const Outcome outcome =
      lingua({"inspect", "gemma3-270m", "--max-segment-size", "40 MB", "--json"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  std::vector<double> bytes;
  for (const json& segment : outcome.json()["segments"]) bytes.push_back(segment["weights_bytes"]);
  EXPECT_THAT(bytes, Each(Le(40e6)));
  expect_refused(lingua({"inspect", "gemma3-270m", "--max-segment-size", "1 kB"}), 4,
                 {"aten::embedding", "336 MB", "1.00 kB"});
}

// What a header holds for both ends of the model it holds once.
TEST_F(HeadPieces, OfATiedHeadTakeNoMemoryBesideTheEmbeddings) {
  const json stages = json_of(plan({"--head-pieces", "8", "--header-keeps-last", "5", "--planner",
                                    "even"}))["estimate"]["stages"];
  ASSERT_EQ(stages.size(), 4U);
  EXPECT_EQ(stages.front()["device"], stages.back()["device"]);
  EXPECT_GT(stages.front()["weights_bytes"].get<double>(), 250880 * 1024 * 2);
  EXPECT_EQ(stages.back()["weights_bytes"].get<double>(), 0);
}

TEST_F(HeadPieces, MakeOtherSegmentsThanAPlanForTheWholeIsFor) {
  const std::string file = folder_.file("plan.json");
  ASSERT_EQ(lingua(plan({"--save-plan", file})).exit_code, 0);
  expect_refused(lingua(plan({"--plan", file, "--head-pieces", "2"})), 3,
                 {"plan.json", "digest", "--head-pieces"});
}

// The whole head is nearly half of what a token takes: four phones cannot share it.
TEST_F(HeadPieces, LetFourPhonesMakeMoreTokensTogether) {
  write("four.yaml",
        "devices: [{name: phone, count: 4, compute: 22 GFLOP/s, memory_bandwidth: 18.5 GB/s, "
        "memory: 2.5 GB}]\n"
        "links: {default: {bandwidth: 320 Mbit/s, latency: 2 ms}}\n");
  const auto tokens_per_s = [&](const char* in_flight, const char* pieces) {
    const json result =
        json_of({"simulate", "bloom-560m", "--cluster", folder_.file("four.yaml"), "--objective",
                 "throughput", "--in-flight", in_flight, "--requests", "16", "--max-tokens", "64",
                 "--head-pieces", pieces, "--json"});
    return result["tokens_per_s"].get<double>();
  };
  const double alone = tokens_per_s("1", "1");
  EXPECT_LT(tokens_per_s("4", "1"), 2.3 * alone);
  EXPECT_GT(tokens_per_s("4", "auto"), 2.9 * alone);
}

}  // namespace
}  // namespace lingua::testing
