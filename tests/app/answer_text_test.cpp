#include "runtime/app/answer_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace lingua {
namespace {

// Token i is the i-th of these.
class WordTokenizer : public Tokenizer {
 public:
  std::vector<TokenId> encode(std::string_view, bool, bool) const override { return {}; }
  std::string decode(const std::vector<TokenId>& ids, bool) const override {
    std::string text;
    for (const TokenId id : ids) text += token_bytes(id);
    return text;
  }
  std::string token_bytes(TokenId id) const override {
    return std::vector<std::string>{"one", " two", " thr", "ee", "\xC3", "\xBC", ""}.at(
        static_cast<std::size_t>(id));
  }
  std::int64_t size() const override { return 7; }
  std::optional<TokenId> bos() const override { return std::nullopt; }
  std::vector<TokenId> stop_tokens() const override { return {6}; }
  std::optional<TokenId> special(const std::string&) const override { return std::nullopt; }
};

const WordTokenizer kTokenizer;

TEST(AnswerText, GoesToTheEndWithoutAStop) {
  const AnswerText answer = answer_text(&kTokenizer, {}, {6}, {0, 1, 4, 5});
  EXPECT_EQ(answer.text, "one two\xC3\xBC");
  EXPECT_EQ(answer.tokens, (std::vector<TokenId>{0, 1, 4, 5}));
  EXPECT_FALSE(answer.stopped);
}

TEST(AnswerText, EndsBeforeAStopStringAndKeepsTheTokenThatCompletesIt) {
  const AnswerText answer = answer_text(&kTokenizer, {" three"}, {6}, {0, 1, 2, 3, 0, 0});
  EXPECT_EQ(answer.text, "one two");
  EXPECT_EQ(answer.tokens, (std::vector<TokenId>{0, 1, 2, 3}));
  EXPECT_TRUE(answer.stopped);
}

TEST(AnswerText, KnowsAStopTokenWithAndWithoutATokenizer) {
  EXPECT_TRUE(answer_text(&kTokenizer, {}, {6}, {0, 6}).stopped);
  EXPECT_TRUE(answer_text(nullptr, {}, {6}, {0, 6}).stopped);
  EXPECT_FALSE(answer_text(nullptr, {}, {6}, {6, 0}).stopped);
}

TEST(AnswerText, HasNoTextForSimulatedTokens) {
  const AnswerText answer = answer_text(&kTokenizer, {"x"}, {}, {kNoToken, kNoToken});
  EXPECT_EQ(answer.text, "");
  EXPECT_EQ(answer.tokens.size(), 2U);
}

TEST(AnswerStreams, KeepRequestsApartAndPrintWholeCharacters) {
  std::map<RequestId, std::vector<std::string>> printed;
  AnswerStreams streams(kTokenizer, {" three"}, [&](RequestId request, const std::string& text) {
    printed[request].push_back(text);
  });
  EXPECT_TRUE(streams.take({1, 0, 0}));
  EXPECT_TRUE(streams.take({2, 0, 4}));
  EXPECT_TRUE(streams.take({1, 1, 2}));
  EXPECT_TRUE(streams.take({2, 1, 5}));
  EXPECT_FALSE(streams.take({1, 2, 3}));
  EXPECT_TRUE(streams.take({2, 2, 2}));
  streams.finish(1);
  streams.finish(2);
  EXPECT_THAT(printed[1], ::testing::ElementsAre("one"));
  EXPECT_THAT(printed[2], ::testing::ElementsAre("\xC3\xBC", " thr"));
}

TEST(ClassScores, AreASoftmaxAndEmptyWithoutContents) {
  auto memory = allocate_bytes(12);
  auto* values = reinterpret_cast<float*>(memory.get());
  values[0] = 1000;
  values[1] = 1000 + std::log(2.0F);
  values[2] = -1000;
  const std::vector<double> shares =
      class_scores({DType::kFloat32, {1, 3}, memory}, ClassScore::kShares);
  EXPECT_THAT(shares, ::testing::ElementsAre(::testing::DoubleNear(1.0 / 3, 1e-4),
                                             ::testing::DoubleNear(2.0 / 3, 1e-4),
                                             ::testing::DoubleNear(0, 1e-9)));
  EXPECT_TRUE(class_scores({DType::kFloat32, {1, 3}, nullptr}, ClassScore::kShares).empty());
}

TEST(ClassScores, AreOneByOneOrRawWhereTheModelSaysSo) {
  auto memory = allocate_bytes(8);
  auto* values = reinterpret_cast<float*>(memory.get());
  values[0] = -1000;
  values[1] = std::log(3.0F);
  const Tensor logits{DType::kFloat32, {1, 2}, memory};
  EXPECT_THAT(class_scores(logits, ClassScore::kEach),
              ::testing::ElementsAre(0, ::testing::DoubleNear(0.75, 1e-6)));
  EXPECT_THAT(class_scores(logits, ClassScore::kRaw), ::testing::ElementsAre(-1000, values[1]));
}

}  // namespace
}  // namespace lingua
