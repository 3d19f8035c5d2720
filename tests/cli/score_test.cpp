// The perplexity of a text through the command line: that of Hugging Face transformers.

#include <cmath>

#include "tests/cli/text_fixture.h"

namespace lingua::testing {
namespace {

using nlohmann::json;

class ScoreTest : public TextTest, public ::testing::WithParamInterface<const char*> {
 protected:
  json score(const std::string& context, const std::string& workers,
             const Arguments& more = {}) const {
    return json_of(Arguments{"score", folder_.file("text.txt"), "--model", model_.folder,
                             "--context", context} +
                   local_workers(workers) + kExactly + more);
  }

  TextModel model_ = text_model(std::string("generation/") + GetParam());
};

TEST_P(ScoreTest, IsThatOfTransformersAndTheSameOnThreeWorkersToTheLastBit) {
  const json& scored = model_.golden["scored"];
  write("text.txt", scored["text"]);
  for (const json& expected : scored["scores"]) {
    const std::string context = expected["context"].dump();
    const json one = score(context, "1");
    ASSERT_TRUE(one.contains("nll"));
    for (const char* key : {"context", "tokens", "predicted"}) EXPECT_EQ(one[key], expected[key]);
    const double nll = expected["nll"].get<double>();
    const double predicted = expected["predicted"].get<double>();
    EXPECT_NEAR(one["nll"].get<double>(), nll, 1e-6 * nll);
    EXPECT_NEAR(one["perplexity"].get<double>() / std::exp(nll / predicted), 1, 1e-5);
    const bool several_windows = context == "24";
    if (!several_windows) continue;
    const json three = score(context, "3");
    ASSERT_TRUE(three.contains("nll"));
    EXPECT_FALSE(three.contains("bytes_per_token")) << "a pass makes no token";
    EXPECT_EQ(three["nll"], one["nll"]);
    EXPECT_EQ(three["plan"]["stages"].size(), 3U);
    const json rounded = score(context, "3", {"--wire", "int8"});
    EXPECT_NE(rounded["nll"], one["nll"]) << "hidden states travel as int8";
    EXPECT_NEAR(rounded["nll"].get<double>(), nll, 0.05 * nll);
  }
}

INSTANTIATE_TEST_SUITE_P(Models, ScoreTest, ::testing::Values("bloom", "tinyllama"),
                         [](const auto& info) { return std::string(info.param); });

class ScoreRefusals : public TextTest {
 protected:
  Arguments score(const std::string& text, const std::string& model) {
    write("text.txt", text);
    return Arguments{"score", folder_.file("text.txt"), "--model", model} + local_workers("1");
  }
};

TEST_F(ScoreRefusals, NameTheTextOrTheModel) {
  const TextModel model = text_model("generation/bloom");
  expect_refused(lingua(score("", model.folder)), 3, {"text.txt", "0 tokens"});
  expect_refused(lingua(score("Gr\xFC\xDF", model.folder)), 3, {"text.txt", "byte 2", "UTF-8"});
  expect_refused(lingua(score("A text.", model.folder) + Arguments{"--context", "1"}), 2,
                 {"--context", "1"});
  expect_refused(lingua(score("A text.", text_model("classification/bloom").folder)), 3,
                 {"classification-bloom", "language model"});
  expect_refused(lingua(score("A text.", text_model("generation/tinyllama").folder) +
                        Arguments{"--context", "2049"}),
                 2, {"--context 2049", "2048"});
}

}  // namespace
}  // namespace lingua::testing
