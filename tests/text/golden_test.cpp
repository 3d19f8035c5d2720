// Ids and texts equal to those of the libraries `tokenizers` and `sentencepiece`.

#include "tests/text/golden.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/checkpoint/json.h"
#include "runtime/text/tokenizer.h"

namespace lingua {
namespace {

using nlohmann::json;

void expect_golden(const Tokenizer& tokenizer, const std::string& name) {
  const json file = golden::read(name + ".ids.json");
  const json& expected = file["strings"];
  const std::vector<std::string> strings = golden::strings();
  ASSERT_EQ(expected.size(), strings.size());
  ASSERT_GT(strings.size(), 100U);
  for (std::size_t i = 0; i < strings.size(); ++i) {
    const std::string& text = strings[i];
    SCOPED_TRACE(fmt::format("{} string {}: {}", name, i, quoted(text.substr(0, 80))));
    if (expected[i].contains("special")) {
      EXPECT_EQ(golden::shown(tokenizer.encode(text, true, true)), expected[i]["special"]);
    }
    const std::vector<TokenId> plain = tokenizer.encode(text, false, false);
    EXPECT_EQ(golden::shown(plain), expected[i]["plain"]);
    const std::string decoded = tokenizer.decode(plain, true);
    if (!expected[i].contains("text")) {
      EXPECT_EQ(decoded, text);
    } else if (expected[i]["text"] != golden::fnv(decoded)) {
      EXPECT_EQ(decoded, expected[i]["text"].get<std::string>());
    }
  }
}

// A text that comes token by token is the same, but for a space before it.
void expect_bytes_make_the_text(const Tokenizer& tokenizer) {
  for (const std::string& text : golden::strings()) {
    const std::vector<TokenId> ids = tokenizer.encode(text, false, false);
    std::string bytes;
    for (const TokenId id : ids) bytes += tokenizer.token_bytes(id);
    const std::string decoded = tokenizer.decode(ids);
    EXPECT_TRUE(bytes == decoded || bytes == " " + decoded) << quoted(text);
  }
}

class HuggingFace : public ::testing::TestWithParam<const char*> {};

TEST_P(HuggingFace, GivesTheSameIdsAndTexts) {
  const TemporaryFolder folder;
  std::filesystem::copy(golden::folder() / (std::string(GetParam()) + ".tokenizer.json"),
                        folder.path() / "tokenizer.json");
  const auto tokenizer = load_tokenizer(folder.path().string());
  expect_golden(*tokenizer, GetParam());
  if (GetParam() != std::string("odd")) expect_bytes_make_the_text(*tokenizer);
}

INSTANTIATE_TEST_SUITE_P(Family, HuggingFace,
                         ::testing::Values("llama3", "qwen2", "bloom", "smollm2", "gpt2",
                                           "tinyllama", "mistral", "gemma", "odd"),
                         [](const auto& info) { return std::string(info.param); });

class SentencePiece : public ::testing::TestWithParam<const char*> {};

TEST_P(SentencePiece, GivesTheSameIdsAndTexts) {
  const TemporaryFolder folder;
  golden::write(folder.path() / "tokenizer.model",
                serialise_sentencepiece(golden::sentencepiece(GetParam())));
  expect_golden(*load_tokenizer(folder.path().string()), GetParam());
}

INSTANTIATE_TEST_SUITE_P(Model, SentencePiece,
                         ::testing::Values("spm_llama", "spm_gemma", "spm_unigram"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace lingua
