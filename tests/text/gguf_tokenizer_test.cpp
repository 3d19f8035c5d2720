// The tokenizers of GGUF files give the ids of the files that they were made from.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/errors.h"
#include "runtime/checkpoint/json.h"
#include "runtime/text/tokenizer.h"
#include "tests/text/gguf_metadata.h"
#include "tests/text/golden.h"

namespace lingua {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class GgufFile : public ::testing::Test {
 protected:
  std::unique_ptr<Tokenizer> load(const GgufMetadata& metadata) const {
    golden::write(folder_.path() / "m.gguf", metadata.file());
    return load_tokenizer(folder_.file("m.gguf"));
  }
  std::string refusal(const GgufMetadata& metadata) const {
    try {
      load(metadata);
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  }

  TemporaryFolder folder_;
};

// The metadata that the converter of llama.cpp writes for a byte-level tokenizer.json.
GgufMetadata byte_level(const std::string& name, const std::string& pre) {
  const json file = golden::read(name + ".tokenizer.json");
  const json& vocabulary = file["model"]["vocab"];
  std::vector<std::string> tokens(vocabulary.size() + 10);
  for (const auto& [token, id] : vocabulary.items()) tokens.at(id.get<std::size_t>()) = token;
  std::vector<std::int32_t> kinds(tokens.size(), 1);
  std::size_t count = vocabulary.size();
  for (const json& token : file["added_tokens"]) {
    const auto id = token["id"].get<std::size_t>();
    tokens.at(id) = token["content"];
    kinds.at(id) = token["special"].get<bool>() ? 3 : 4;
    count = std::max(count, id + 1);
  }
  tokens.resize(count);
  kinds.resize(count);
  std::vector<std::string> merges;
  for (const json& merge : file["model"]["merges"]) {
    merges.push_back(merge[0].get<std::string>() + " " + merge[1].get<std::string>());
  }
  GgufMetadata metadata;
  metadata.add("tokenizer.ggml.model", "gpt2");
  metadata.add("tokenizer.ggml.pre", pre);
  metadata.add("tokenizer.ggml.tokens", tokens);
  metadata.add("tokenizer.ggml.token_type", kinds);
  metadata.add("tokenizer.ggml.merges", merges);
  return metadata;
}

std::uint32_t id_of(const std::string& name, const std::string& content) {
  const json file = golden::read(name + ".tokenizer.json");
  for (const json& token : file["added_tokens"]) {
    if (token["content"] == content) return token["id"];
  }
  throw InputError(content);
}

void expect_golden(const Tokenizer& tokenizer, const std::string& name, const char* kind) {
  const json file = golden::read(name + ".ids.json");
  const std::vector<std::string> strings = golden::strings();
  const bool special = std::string(kind) == "special";
  for (std::size_t i = 0; i < strings.size(); ++i) {
    EXPECT_EQ(golden::shown(tokenizer.encode(strings[i], special, special)),
              file["strings"].at(i).at(kind))
        << name << " string " << i << ": " << quoted(strings[i]);
  }
}

TEST_F(GgufFile, SplitsWordsAsItsPreTokenizerDoes) {
  for (const auto& [name, pre] : std::vector<std::pair<const char*, const char*>>{
           {"qwen2", "qwen2"}, {"gpt2", "gpt-2"}, {"smollm2", "smollm"}, {"bloom", "bloom"}}) {
    const auto tokenizer = load(byte_level(name, pre));
    expect_golden(*tokenizer, name, "special");
    expect_golden(*tokenizer, name, "plain");
  }
}

TEST_F(GgufFile, AddsTheBeginningAsItsMetadataSays) {
  GgufMetadata metadata = byte_level("llama3", "llama-bpe");
  metadata.add("tokenizer.ggml.bos_token_id", id_of("llama3", "<|begin_of_text|>"));
  metadata.add("tokenizer.ggml.eos_token_id", id_of("llama3", "<|end_of_text|>"));
  GgufMetadata without = metadata;
  without.add("tokenizer.ggml.add_bos_token", false);
  const auto tokenizer = load(metadata);
  expect_golden(*tokenizer, "llama3", "special");
  expect_golden(*tokenizer, "llama3", "plain");
  EXPECT_EQ(tokenizer->bos(), id_of("llama3", "<|begin_of_text|>"));
  EXPECT_THAT(tokenizer->stop_tokens(),
              ElementsAre(id_of("llama3", "<|end_of_text|>"), id_of("llama3", "<|eot_id|>")));
  EXPECT_EQ(tokenizer->special("<|eot_id|>"), id_of("llama3", "<|eot_id|>"));
  EXPECT_EQ(load(without)->encode("a", true, true).size(), 1U);
}

// The metadata of a SentencePiece model, as the converter writes it: the unknown piece is a control
// piece, user-defined ones have spaces.
GgufMetadata sentencepiece(const std::string& name) {
  const SentencePieceModel model = golden::sentencepiece(name);
  std::vector<std::string> tokens;
  std::vector<float> scores;
  std::vector<std::int32_t> kinds;
  std::uint32_t unknown = 0;
  for (const SentencePieceModel::Piece& piece : model.pieces) {
    using PieceKind = SentencePieceModel::PieceKind;
    if (piece.kind == PieceKind::kUnknown) unknown = static_cast<std::uint32_t>(tokens.size());
    std::string text = piece.text;
    while (piece.kind == PieceKind::kUserDefined && text.find("\xE2\x96\x81") != text.npos) {
      text.replace(text.find("\xE2\x96\x81"), 3, 1, ' ');
    }
    tokens.push_back(text);
    scores.push_back(piece.score);
    kinds.push_back(piece.kind == PieceKind::kUnknown ? 3 : static_cast<std::int32_t>(piece.kind));
  }
  GgufMetadata metadata;
  metadata.add("tokenizer.ggml.model", "llama");
  metadata.add("tokenizer.ggml.tokens", tokens);
  metadata.add("tokenizer.ggml.scores", scores);
  metadata.add("tokenizer.ggml.token_type", kinds);
  metadata.add("tokenizer.ggml.unknown_token_id", unknown);
  metadata.add("tokenizer.ggml.add_space_prefix", model.add_dummy_prefix);
  return metadata;
}

TEST_F(GgufFile, HasTheModelOfSentencePiece) {
  expect_golden(*load(sentencepiece("spm_llama")), "spm_llama", "plain");
  GgufMetadata gemma = sentencepiece("spm_gemma");
  gemma.add("tokenizer.ggml.bos_token_id", std::uint32_t{1});
  gemma.add("tokenizer.ggml.eos_token_id", std::uint32_t{2});
  const auto tokenizer = load(gemma);
  expect_golden(*tokenizer, "spm_gemma", "plain");
  const TokenId turn = tokenizer->special("<end_of_turn>").value();
  EXPECT_THAT(tokenizer->encode("<end_of_turn>", true, true), ElementsAre(1, turn));
  EXPECT_THAT(tokenizer->stop_tokens(), ElementsAre(2, turn));
  EXPECT_EQ(tokenizer->token_bytes(turn), "");
}

TEST_F(GgufFile, IsRefusedByTheNameOfWhatItLacks) {
  GgufMetadata none;
  none.add("general.name", "x");
  EXPECT_THAT(refusal(none), AllOf(HasSubstr("m.gguf"), HasSubstr("tokenizer.ggml.model")));
  GgufMetadata bert;
  bert.add("tokenizer.ggml.model", "bert");
  EXPECT_THAT(refusal(bert), AllOf(HasSubstr("'bert'"), HasSubstr("llama, gpt2")));
  EXPECT_THAT(refusal(byte_level("gpt2", "viking")),
              AllOf(HasSubstr("'viking'"), HasSubstr("llama-bpe"), HasSubstr("qwen2")));
}

TEST_F(GgufFile, IsRefusedWhenItsListsDisagree) {
  GgufMetadata metadata;
  metadata.add("tokenizer.ggml.model", "llama");
  metadata.add("tokenizer.ggml.tokens", std::vector<std::string>{"<unk>", "a"});
  GgufMetadata scores = metadata;
  scores.add("tokenizer.ggml.scores", std::vector<float>{0});
  EXPECT_THAT(refusal(scores), AllOf(HasSubstr("scores"), HasSubstr("1 entries for 2")));
  GgufMetadata kinds = metadata;
  kinds.add("tokenizer.ggml.token_type", std::vector<std::int32_t>{2, 9});
  EXPECT_THAT(refusal(kinds), AllOf(HasSubstr("token 1"), HasSubstr("type 9")));
  GgufMetadata bos = metadata;
  bos.add("tokenizer.ggml.bos_token_id", std::uint32_t{4000000000U});
  EXPECT_THAT(refusal(bos), AllOf(HasSubstr("bos_token_id"), HasSubstr("4000000000")));
  GgufMetadata twice;
  twice.add("tokenizer.ggml.model", "llama");
  twice.add("tokenizer.ggml.tokens", std::vector<std::string>{"<unk>", "a", "a"});
  EXPECT_THAT(refusal(twice), AllOf(HasSubstr("piece 2"), HasSubstr("twice")));
  GgufMetadata merges;
  merges.add("tokenizer.ggml.model", "gpt2");
  merges.add("tokenizer.ggml.pre", "gpt-2");
  merges.add("tokenizer.ggml.tokens", std::vector<std::string>{"a", "b"});
  GgufMetadata unknown = merges;
  unknown.add("tokenizer.ggml.merges", std::vector<std::string>{"a b"});
  EXPECT_THAT(refusal(unknown), AllOf(HasSubstr("merges"), HasSubstr("'ab'")));
  merges.add("tokenizer.ggml.merges", std::vector<std::string>{"ab"});
  EXPECT_THAT(refusal(merges), HasSubstr("'ab' is no merge"));
}

TEST_F(GgufFile, IsRefusedWithAnEmptyMerge) {
  GgufMetadata empty;
  empty.add("tokenizer.ggml.model", "gpt2");
  empty.add("tokenizer.ggml.pre", "gpt-2");
  empty.add("tokenizer.ggml.tokens", std::vector<std::string>{"a"});
  empty.add("tokenizer.ggml.merges", std::vector<std::string>{""});
  EXPECT_THAT(refusal(empty), AllOf(HasSubstr("merges"), Not(HasSubstr("\n"))));
}

}  // namespace
}  // namespace lingua
