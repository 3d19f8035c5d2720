// Folders with files beside the tokenizer's own: ids and texts equal to those of transformers.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "runtime/base/errors.h"
#include "runtime/text/chat.h"
#include "runtime/text/text_stream.h"
#include "runtime/text/tokenizer.h"
#include "tests/text/golden.h"

namespace lingua {
namespace {

using nlohmann::json;

// "NAME+CHANGE" is the golden tokenizer NAME with a value that the golden file has under CHANGE.
json tokenizer_json(const std::string& name) {
  const std::size_t plus = name.find('+');
  json file = golden::read(name.substr(0, plus) + ".tokenizer.json");
  if (plus == std::string::npos) return file;
  const json change = golden::read("settings.json")["changes"][name.substr(plus + 1)];
  json* place = &file;
  for (const json& key : change[0]) {
    place = key.is_number() ? &(*place)[key.get<std::size_t>()] : &(*place)[key.get<std::string>()];
  }
  *place = change[1];
  return file;
}

// "NAME+first": its first pieces in the order that GemmaTokenizer takes them to have.
SentencePieceModel pieces(const std::string& name) {
  SentencePieceModel model = golden::sentencepiece(name.substr(0, name.find('+')));
  if (name.find('+') == std::string::npos) return model;
  auto place = model.pieces.begin();
  for (const char* text : {"<pad>", "<eos>", "<bos>", "<unk>"}) {
    std::iter_swap(place++, std::find_if(model.pieces.begin(), model.pieces.end(),
                                         [&](const auto& piece) { return piece.text == text; }));
  }
  return model;
}

void write_folder(const json& entry, const std::filesystem::path& folder) {
  if (entry["json"].is_string()) {
    golden::write(folder / "tokenizer.json", tokenizer_json(entry["json"]).dump());
  }
  if (entry["pieces"].is_string()) {
    golden::write(folder / "tokenizer.model", serialise_sentencepiece(pieces(entry["pieces"])));
  }
  for (const auto& [name, content] : entry["files"].items()) {
    golden::write(folder / name, content.dump());
  }
}

TEST(FilesBesideATokenizer, MeanWhatTheyMeanToTransformers) {
  const json golden = golden::read("settings.json");
  ASSERT_GT(golden["cases"].size(), 180U);
  for (const json& entry : golden["cases"]) {
    SCOPED_TRACE(entry["name"].get<std::string>());
    const TemporaryFolder folder;
    write_folder(entry, folder.path());
    if (entry["answers"].is_null()) {
      EXPECT_THROW(load_tokenizer(folder.path().string()), InputError);
      continue;
    }
    const auto tokenizer = load_tokenizer(folder.path().string());
    for (std::size_t i = 0; i < golden["texts"].size(); ++i) {
      const std::string text = golden["texts"][i];
      const json& answer = entry["answers"][i];
      SCOPED_TRACE(text);
      const std::vector<TokenId> ids = tokenizer->encode(text, true, true);
      EXPECT_EQ(json(ids), answer["ids"]);
      const std::vector<TokenId> given = answer["ids"];
      EXPECT_EQ(tokenizer->decode(given), answer["text"].get<std::string>());
      EXPECT_EQ(tokenizer->decode(given, true), answer["kept"].get<std::string>());
    }
  }
}

// Each token that a chat template may write is the one that transformers has, and its text is encoded the
// same.
TEST(FilesBesideATokenizer, MeanTheSameToAChatTemplate) {
  const json golden = golden::read("settings.json");
  int with_prompts = 0;
  for (const json& entry : golden["cases"]) {
    if (entry["chat"].is_null()) continue;
    SCOPED_TRACE(entry["name"].get<std::string>());
    const TemporaryFolder folder;
    write_folder(entry, folder.path());
    golden::write(folder.path() / "chat_template.jinja", golden["template"].get<std::string>());
    const std::string model = folder.path().string();
    const auto tokenizer = load_tokenizer(model);
    const ChatForm form = chat_form("auto", model, {});
    const std::vector<TokenId> ids =
        chat_prompt(form, {{"user", golden["message"].get<std::string>()}}, *tokenizer);
    EXPECT_EQ(json(ids), entry["chat"]["ids"])
        << tokenizer->decode(ids, true) << "\ninstead of " << entry["chat"]["text"];
    ++with_prompts;
  }
  EXPECT_GT(with_prompts, 180);
}

// A text that comes token by token is cleaned up as the whole is.
TEST(FilesBesideATokenizer, CleanUpSpacesInStreamsToo) {
  const TemporaryFolder folder;
  write_folder(
      {{"json", "qwen2"},
       {"pieces", nullptr},
       {"files",
        {{"tokenizer_config.json",
          {{"tokenizer_class", "Qwen2Tokenizer"}, {"clean_up_tokenization_spaces", true}}}}}},
      folder.path());
  const auto tokenizer = load_tokenizer(folder.path().string());
  std::size_t changed = 0;
  std::vector<std::string> texts = golden::strings();
  const json settings = golden::read("settings.json");
  for (const json& text : settings["texts"]) texts.push_back(text);
  for (const std::string& text : texts) {
    const std::vector<TokenId> ids = tokenizer->encode(text, false, false);
    TextStream stream(*tokenizer, {});
    std::string streamed;
    for (const TokenId id : ids) streamed += stream.push(id);
    streamed += stream.finish();
    EXPECT_EQ(streamed, tokenizer->decode(ids));
    changed += streamed == text ? 0 : 1;
  }
  EXPECT_GT(changed, 2U);
}

// transformers: an id that is no token is left out. tokenizer.json with holes at 17 and from 604 to 699.
TEST(FilesBesideATokenizer, LeaveIdsThatAreNoTokensOutOfTexts) {
  const TemporaryFolder folder;
  json file = golden::read("qwen2.tokenizer.json");
  file["model"]["merges"] = json::array();
  for (json& id : file["model"]["vocab"]) {
    if (id == 17) id = 700;
  }
  golden::write(folder.path() / "tokenizer.json", file.dump());
  const auto tokenizer = load_tokenizer(folder.path().string());
  const std::vector<TokenId> word = tokenizer->encode("ab", false, false);
  for (const TokenId id :
       {TokenId{17}, TokenId{-1}, TokenId{-7}, TokenId{604}, TokenId{701}, TokenId{1} << 40}) {
    EXPECT_EQ(tokenizer->token_bytes(id), "") << id;
    EXPECT_EQ(tokenizer->decode({word[0], id, word[1]}, true), "ab") << id;
  }
  const TemporaryFolder pieces;
  golden::write(pieces.path() / "tokenizer.model",
                serialise_sentencepiece(golden::sentencepiece("spm_llama")));
  const auto other = load_tokenizer(pieces.path().string());
  for (const TokenId id : {TokenId{-1}, TokenId{560}, TokenId{1} << 40}) {
    EXPECT_EQ(other->token_bytes(id), "") << id;
    EXPECT_EQ(other->decode({id}), "") << id;
  }
}

}  // namespace
}  // namespace lingua
