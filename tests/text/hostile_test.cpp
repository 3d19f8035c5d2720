// Tokenizer files that nobody vouches for: one line, no crash, no hang.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <functional>

#include "runtime/base/errors.h"
#include "runtime/base/random.h"
#include "runtime/text/tokenizer.h"
#include "tests/text/golden.h"

namespace lingua {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class HostileFolder : public ::testing::Test {
 protected:
  void put(const std::string& name, const std::string& bytes) const {
    golden::write(folder_.path() / name, bytes);
  }
  std::unique_ptr<Tokenizer> load() const { return load_tokenizer(folder_.path().string()); }

  // What loading says; empty when it loads.
  std::string refusal() const {
    return said([&] { load(); });
  }
  static std::string said(const std::function<void()>& act) {
    try {
      act();
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), Not(HasSubstr("\n")));
      EXPECT_LT(std::string(error.what()).size(), 1000U);
      return error.what();
    }
    return "";
  }
  // What loading a changed tokenizer.json says.
  std::string refusal(const std::string& family, const std::function<void(json&)>& change) const {
    json file = golden::read(family + ".tokenizer.json");
    change(file);
    put("tokenizer.json", file.dump());
    return refusal();
  }

  TemporaryFolder folder_;
};

TEST_F(HostileFolder, SaysWhichFilesItLooksFor) {
  EXPECT_THAT(refusal(), AllOf(HasSubstr("tokenizer.json"), HasSubstr("tokenizer.model")));
  EXPECT_FALSE(has_tokenizer(folder_.path().string()));
  EXPECT_FALSE(has_tokenizer(folder_.file("nothing")));
  EXPECT_THAT(said([&] { load_tokenizer(folder_.file("nothing")); }), HasSubstr("does not exist"));
  put("weights.bin", "abc");
  EXPECT_THAT(said([&] { load_tokenizer(folder_.file("weights.bin")); }), HasSubstr("GGUF"));
}

TEST_F(HostileFolder, IsRefusedByFieldWhenAFieldIsWrong) {
  const std::vector<std::tuple<const char*, json, const char*>> cases = {
      {"/model/type", "Unigram", "model.type is 'Unigram'"},
      {"/model/type", "WordPiece", "model.type is 'WordPiece'"},
      {"/model/vocab", json::array({1}), "model.vocab is an array"},
      {"/model/vocab/a", "x", "model.vocab['a'] is 'x'"},
      {"/model/vocab/a", 1e300, "model.vocab['a'] is 1e+300"},
      {"/model/vocab/a", -1, "id -1"},
      {"/model/vocab/a", 4000000000U, "id 4000000000"},
      {"/model/vocab/a", UINT64_MAX, "id"},
      {"/model/vocab/a", 7, "belongs to two tokens"},
      {"/model/merges", "a b", "model.merges is 'a b'"},
      {"/model/merges/3", "ab", "model.merges[3] is 'ab'"},
      {"/model/merges/3", "a b c", "model.merges[3]"},
      {"/model/merges/3", json::array({"a"}), "model.merges[3] is an array"},
      {"/model/merges/3", json::array({"a", 1}), "model.merges[3] is an array"},
      {"/model/merges/3", json::array({"zq", "a"}), "merges[3]: 'zq' is not in the vocabulary"},
      {"/model/merges/3", json::array({"z", "q"}), "merges[3]: 'zq' is not in the vocabulary"},
      {"/model/dropout", 0.1, "model.dropout is 0.1"},
      {"/model/unk_token", "nothing", "'nothing'"},
      {"/model/byte_fallback", "yes", "model.byte_fallback is 'yes'"},
      {"/model", nullptr, "model is missing"},
      {"/normalizer", {{"type", "Nmt"}}, "normalizer.type is 'Nmt'; normalizers NFC"},
      {"/normalizer", {{"kind", "NFC"}}, "normalizer.type is missing"},
      {"/normalizer", 3, "normalizer is 3"},
      {"/pre_tokenizer", {{"type", "BertPreTokenizer"}}, "pre_tokenizer.type"},
      {"/pre_tokenizer/pretokenizers/0/behavior", "Explode", "pretokenizers[0].behavior"},
      {"/pre_tokenizer/pretokenizers/0/pattern/Regex", "(a", "is not a valid regular expression"},
      {"/pre_tokenizer/pretokenizers/0/pattern", {{"Glob", "*"}}, "pattern.String is missing"},
      {"/pre_tokenizer/pretokenizers", "x", "pretokenizers is 'x'"},
      {"/decoder", {{"type", "CTC"}}, "decoder.type is 'CTC'"},
      {"/post_processor/type", "RobertaProcessing", "post_processor.type"},
      {"/added_tokens/0/id", -5, "added_tokens[0].id is -5"},
      {"/added_tokens/0/id", 1ULL << 62, "added_tokens[0].id is 4611686018427387904"},
      {"/added_tokens/0/content", "", "0 bytes"},
      {"/added_tokens/0/content", std::string(5000, 'x'), "5000 bytes"},
      {"/added_tokens/0/special", 1, "added_tokens[0].special is 1"},
      {"/added_tokens", {{"a", 1}}, "added_tokens is an object"}};
  for (const auto& [path, value, message] : cases) {
    const std::string refused = refusal(
        "llama3", [&, p = path, v = value](json& file) { file[json::json_pointer(p)] = v; });
    EXPECT_THAT(refused, AllOf(HasSubstr("tokenizer.json: "), HasSubstr(message)))
        << path << " = " << value;
  }
}

TEST_F(HostileFolder, IsRefusedWhenItsTemplateNamesIdsThatAreNone) {
  const json::json_pointer ids("/post_processor/processors/1/special_tokens/<|begin_of_text|>/ids");
  EXPECT_THAT(refusal("llama3", [&](json& file) { file[ids] = {123456}; }), HasSubstr("123456"));
  EXPECT_THAT(refusal("llama3", [&](json& file) { file[ids] = "x"; }), HasSubstr("ids is 'x'"));
}

TEST_F(HostileFolder, IsRefusedWhenAFileBesideItIsWrong) {
  refusal("llama3", [](json&) {});
  const std::vector<std::tuple<const char*, const char*, const char*>> cases = {
      {"tokenizer_config.json", "[]", "not a JSON object"},
      {"tokenizer_config.json", "{", "not valid JSON"},
      {"tokenizer_config.json", R"({"bos_token": 3})", "bos_token is 3"},
      {"tokenizer_config.json", R"({"bos_token": {"content": 3}})", "bos_token.content is 3"},
      {"tokenizer_config.json", R"({"add_bos_token": "no"})", "add_bos_token is 'no'"},
      {"tokenizer_config.json", R"({"added_tokens_decoder": {"x": {}}})", "['x']"},
      {"added_tokens.json", R"({"<x>": "y"})", "'<x>' is 'y'"},
      {"generation_config.json", R"({"eos_token_id": [1, "a"]})", "eos_token_id[1] is 'a'"},
      {"config.json", R"({"bos_token_id": -1})", "bos_token_id is -1"},
      {"config.json", R"({"vocab_size": "x"})", "vocab_size is 'x'"}};
  for (const auto& [name, text, message] : cases) {
    put(name, text);
    EXPECT_THAT(refusal(), HasSubstr(message)) << name << ": " << text;
    std::filesystem::remove(folder_.path() / name);
  }
  EXPECT_EQ(refusal(), "");
}

double seconds(const std::function<void()>& act) {
  const auto begin = std::chrono::steady_clock::now();
  act();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

TEST_F(HostileFolder, CannotHangEncodingWithAnExplodingExpression) {
  const json::json_pointer regex("/pre_tokenizer/pretokenizers/0/pattern/Regex");
  for (const char* pattern : {"(a+)+b", "(a|aa)+b", "(a*)*b|(a*)*c", "(?:a{1,500}){1,500}b"}) {
    ASSERT_EQ(refusal("llama3", [&](json& file) { file[regex] = pattern; }), "");
    const auto tokenizer = load();
    const double took = seconds([&] {
      EXPECT_THAT(
          said([&] { tokenizer->encode(std::string(5000, 'a'), false, false); }),
          AllOf(HasSubstr("pretokenizers[0].pattern"), HasSubstr("does not come to an end")))
          << pattern;
    });
    EXPECT_LT(took, 60) << pattern;
  }
}

TEST_F(HostileFolder, CannotBlowATextUp) {
  const auto many = [](const json& step) { return json(60, step); };
  const json twice = {{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", "aa"}};
  const json bytes = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
  ASSERT_EQ(refusal("llama3",
                    [&](json& file) {
                      file["normalizer"] = {{"type", "Sequence"}, {"normalizers", many(twice)}};
                    }),
            "");
  EXPECT_THAT(said([&] { load()->encode(std::string(10000, 'a'), false, false); }),
              HasSubstr("normalizer: makes"));
  ASSERT_EQ(
      refusal("llama3",
              [&](json& file) {
                file["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", many(bytes)}};
              }),
      "");
  EXPECT_THAT(said([&] { load()->encode("\xC3\xA9\xC3\xA9", false, false); }),
              HasSubstr("pre_tokenizer: makes"));
  ASSERT_EQ(refusal("llama3",
                    [&](json& file) {
                      file["decoder"] = {{"type", "Sequence"}, {"decoders", many(twice)}};
                    }),
            "");
  EXPECT_THAT(said([&] { load()->decode(load()->encode("a", false, false)); }),
              HasSubstr("decoder: makes"));
}

TEST_F(HostileFolder, RefusesTextThatIsNotUtf8WithItsPlace) {
  refusal("gemma", [](json&) {});
  const auto tokenizer = load();
  for (const char* text : {"ab\xFF", "ab\x80", "ab\xC0\x80", "ab\xED\xA0\x80", "ab\xE2\x82"}) {
    EXPECT_THAT(said([&] { tokenizer->encode(text, true, true); }), HasSubstr("byte 2 (0x"));
  }
}

TEST_F(HostileFolder, LeavesOutSpecialTokensThatTheModelHasNoEmbeddingsOf) {
  refusal("llama3", [](json&) {});
  const std::int64_t size = load()->size();
  put("config.json", fmt::format(R"({{"vocab_size": {}}})", size - 1));
  const auto tokenizer = load();
  EXPECT_EQ(tokenizer->size(), size - 1);
  EXPECT_EQ(tokenizer->special("<|eot_id|>"), std::nullopt);
  check_vocabulary(*tokenizer, size - 1, "m");
  EXPECT_THAT(said([&] { check_vocabulary(*tokenizer, 100, "m"); }),
              AllOf(HasSubstr(fmt::format("{} tokens", size - 1)), HasSubstr("vocabulary 100")));
}

// Uses a tokenizer whose files were damaged.
void use(const Tokenizer& tokenizer) {
  const std::string text =
      "Hello  w\xC3\xB6rld 123 <s>\n\xE2\x96\x81 \xF0\x9F\x98\x80<|eot_id|>'LL";
  const std::vector<TokenId> ids = tokenizer.encode(text, true, true);
  tokenizer.decode(ids, true);
  for (const TokenId id : ids) tokenizer.token_bytes(id);
  tokenizer.encode(std::string(300, 'a'), false, false);
}

class MutatedJson : public HostileFolder, public ::testing::WithParamInterface<const char*> {
 protected:
  // One value anywhere in the file, but not mostly in its long lists.
  static json& pick(json& root, Rng& rng) {
    json* at = &root;
    while (at->is_structured() && !at->empty() && (at == &root || rng.below(4) != 0)) {
      auto next = at->begin();
      std::advance(next, static_cast<std::ptrdiff_t>(rng.below(at->size())));
      at = &*next;
    }
    return *at;
  }
};

TEST_P(MutatedJson, IsLoadedOrRefusedInOneLine) {
  const json values = {nullptr,
                       true,
                       -1,
                       0,
                       5,
                       300,
                       1e18,
                       UINT64_MAX,
                       "",
                       "a",
                       "\xE2\x96\x81",
                       " ?\\p{L}+|",
                       "ByteLevel",
                       "Sequence",
                       "Strip",
                       "Metaspace",
                       json::array(),
                       json::object(),
                       {{"type", "Fuse"}},
                       {{"String", ""}}};
  const json original = golden::read(std::string(GetParam()) + ".tokenizer.json");
  Rng rng(20240501);
  int refused = 0;
  constexpr int kRounds = 150;
  for (int round = 0; round < kRounds; ++round) {
    json file = original;
    for (std::uint64_t i = 1 + rng.below(2); i > 0; --i) {
      pick(file, rng) =
          rng.below(3) == 0 ? json(pick(file, rng)) : values[rng.below(values.size())];
    }
    put("tokenizer.json", file.dump());
    SCOPED_TRACE(round);
    if (!said([&] { use(*load()); }).empty()) ++refused;
  }
  EXPECT_GT(refused, kRounds / 4);
  EXPECT_LT(refused, kRounds);
}

TEST_P(MutatedJson, WithBytesChangedIsLoadedOrRefusedInOneLine) {
  const std::string original = golden::read(std::string(GetParam()) + ".tokenizer.json").dump();
  Rng rng(7);
  int refused = 0;
  for (int round = 0; round < 60; ++round) {
    std::string bytes = original;
    for (std::uint64_t i = 1 + rng.below(4); i > 0; --i) {
      bytes[rng.below(bytes.size())] = static_cast<char>(rng.below(256));
    }
    if (rng.below(8) == 0) bytes.resize(rng.below(bytes.size()));
    put("tokenizer.json", bytes);
    if (!said([&] { use(*load()); }).empty()) ++refused;
  }
  EXPECT_GT(refused, 10);
}

INSTANTIATE_TEST_SUITE_P(Family, MutatedJson,
                         ::testing::Values("llama3", "smollm2", "tinyllama", "mistral", "gemma",
                                           "odd"),
                         [](const auto& info) { return std::string(info.param); });

class MutatedPieces : public HostileFolder, public ::testing::WithParamInterface<const char*> {};

TEST_P(MutatedPieces, AreLoadedOrRefusedInOneLine) {
  const std::string original = serialise_sentencepiece(golden::sentencepiece(GetParam()));
  Rng rng(99);
  int refused = 0;
  constexpr int kRounds = 400;
  for (int round = 0; round < kRounds; ++round) {
    std::string bytes = original;
    // The end holds the settings and the normalisation table.
    const std::size_t from = rng.below(2) == 0 ? 0 : bytes.size() - bytes.size() / 8;
    for (std::uint64_t i = 1 + rng.below(3); i > 0; --i) {
      bytes[from + rng.below(bytes.size() - from)] = static_cast<char>(rng.below(256));
    }
    if (rng.below(10) == 0) bytes.resize(rng.below(bytes.size()));
    put("tokenizer.model", bytes);
    SCOPED_TRACE(round);
    if (!said([&] { use(*load()); }).empty()) ++refused;
  }
  EXPECT_GT(refused, kRounds / 20);
  EXPECT_LT(refused, kRounds);
}

INSTANTIATE_TEST_SUITE_P(Model, MutatedPieces,
                         ::testing::Values("spm_llama", "spm_gemma", "spm_unigram"),
                         [](const auto& info) { return std::string(info.param); });

TEST_F(HostileFolder, RefusesPiecesThatContradictThemselves) {
  using PieceKind = SentencePieceModel::PieceKind;
  const auto refused = [&](const std::function<void(SentencePieceModel&)>& change) {
    SentencePieceModel model = golden::sentencepiece("spm_unigram");
    change(model);
    put("tokenizer.model", serialise_sentencepiece(model));
    return refusal();
  };
  EXPECT_EQ(refused([](SentencePieceModel&) {}), "");
  EXPECT_THAT(refused([](auto& m) { m.pieces[9].text = m.pieces[8].text; }), HasSubstr("piece 9"));
  EXPECT_THAT(refused([](auto& m) { m.pieces[9].text = ""; }), HasSubstr("is empty"));
  EXPECT_THAT(refused([](auto& m) { m.pieces[9].text = std::string("a\0b", 3); }),
              HasSubstr("zero byte"));
  EXPECT_THAT(refused([](auto& m) { m.pieces[9].score = std::nanf(""); }), HasSubstr("no number"));
  EXPECT_THAT(refused([](auto& m) { m.pieces[9].kind = PieceKind::kUnknown; }),
              HasSubstr("second unknown"));
  EXPECT_THAT(refused([](auto& m) { m.pieces[9].kind = PieceKind::kByte; }), HasSubstr("1 pieces"));
  EXPECT_THAT(refused([](auto& m) { m.byte_fallback = true; }), HasSubstr("0 pieces for bytes"));
  EXPECT_THAT(refused([](auto& m) { m.pieces.clear(); }), HasSubstr("none of 0 pieces"));
  EXPECT_THAT(refused([](auto& m) { m.space_is_suffix = true; }), HasSubstr("suffix"));
  put("tokenizer.model", "not a model");
  EXPECT_THAT(refusal(), HasSubstr("tokenizer.model: is not a SentencePiece model"));
}

TEST_F(HostileFolder, RefusesATableThatPointsOutsideItself) {
  const SentencePieceModel good = golden::sentencepiece("spm_unigram");
  ASSERT_GT(good.normalisation_table.size(), 1000U);
  int refused = 0;
  for (std::size_t unit = 0; unit < 64; ++unit) {
    SentencePieceModel model = good;
    // An offset far away, with a value there.
    for (int i = 0; i < 4; ++i) model.normalisation_table[4 + 4 * unit + i] = "\x00\x01\xFF\x3F"[i];
    put("tokenizer.model", serialise_sentencepiece(model));
    if (!refusal().empty()) ++refused;
  }
  EXPECT_EQ(refused, 64);
  for (const std::size_t bytes : {3U, 7U, 100U}) {
    SentencePieceModel model = good;
    model.normalisation_table.resize(bytes);
    put("tokenizer.model", serialise_sentencepiece(model));
    EXPECT_THAT(refusal(), HasSubstr("points outside itself")) << bytes;
  }
}

TEST_F(HostileFolder, AddsTokensBeyondThePieces) {
  put("tokenizer.model", serialise_sentencepiece(golden::sentencepiece("spm_llama")));
  const std::int64_t pieces = load()->size();
  put("added_tokens.json", fmt::format(R"({{"<|im_end|>": {}}})", pieces));
  const auto tokenizer = load();
  EXPECT_EQ(tokenizer->size(), pieces + 1);
  EXPECT_EQ(tokenizer->special("<|im_end|>"), pieces);
  EXPECT_EQ(tokenizer->encode("a<|im_end|>", false, true).back(), pieces);
  EXPECT_NE(tokenizer->encode("a<|im_end|>", false, false).back(), pieces);
  EXPECT_EQ(tokenizer->encode("a", true, true).front(), tokenizer->bos());
  put("added_tokens.json", R"({"<|im_end|>": 3})");
  EXPECT_THAT(refusal(), HasSubstr("belongs to the added token '<|im_end|>'"));
  put("added_tokens.json", R"({"<|im_end|>": 4000000000})");
  EXPECT_THAT(refusal(), HasSubstr("far beyond"));
}

// 10 kB without a space are words of 10,000 characters; a megabyte is a long text.
TEST_F(HostileFolder, EncodesInNearlyLinearTime) {
  for (const char* family : {"llama3", "tinyllama", "gemma"}) {
    refusal(family, [](json&) {});
    const auto tokenizer = load();
    std::string word;
    Rng rng(3);
    while (word.size() < 10000) word += static_cast<char>('a' + rng.below(26));
    EXPECT_LT(seconds([&] { tokenizer->encode(word, false, false); }), 1.0) << family;
    std::string text;
    while (text.size() < 1000000) text += word.substr(rng.below(9000), rng.below(900)) + "\n";
    EXPECT_LT(seconds([&] { tokenizer->encode(text, false, false); }), 20.0) << family;
  }
}

}  // namespace
}  // namespace lingua
