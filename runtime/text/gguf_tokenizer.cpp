#include <fmt/format.h>

#include <map>

#include "runtime/base/errors.h"
#include "runtime/checkpoint/gguf.h"
#include "runtime/checkpoint/json.h"
#include "runtime/text/bpe_tokenizer.h"
#include "runtime/text/common_tokenizer.h"
#include "runtime/text/sentencepiece_tokenizer.h"
#include "runtime/text/stop_tokens.h"

namespace lingua {
namespace {

constexpr const char* kLlama3Words =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kQwen2Words =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kBloomWords = " ?[^(\\s|[.,!?\u2026\u3002\uFF0C\u3001\u0964\u06D4\u060C])]+";

// How the tokenizer that tokenizer.ggml.pre names cuts a text into words.
struct PreKind {
  std::vector<const char*> words;  // expressions, one after the other
  bool nfc = false;
  bool ignore_merges = false;
  bool add_bos = false;  // when the file does not say
};

const std::map<std::string, PreKind>& pre_kinds() {
  static const std::map<std::string, PreKind> kKinds = [] {
    const PreKind llama3{{kLlama3Words}, false, true, true};
    const PreKind qwen2{{kQwen2Words}, true};
    const PreKind digits{{R"(\p{N})", kGpt2Words}};
    return std::map<std::string, PreKind>{{"llama3", llama3},          {"llama-v3", llama3},
                                          {"llama-bpe", llama3},       {"qwen2", qwen2},
                                          {"deepseek-r1-qwen", qwen2}, {"gpt-2", {{kGpt2Words}}},
                                          {"smollm", digits},          {"starcoder", digits},
                                          {"refact", digits},          {"bloom", {{kBloomWords}}}};
  }();
  return kKinds;
}

template <class Type>
std::optional<Type> optional_value(const Gguf& file, const std::string& key) {
  if (file.find_value(key) == nullptr) return std::nullopt;
  return file.value<Type>(key);
}

std::string key_of(const std::string& name) { return "tokenizer.ggml." + name; }

// A list with an entry for each token, or nothing.
template <class Type>
const std::vector<Type>* list_of(const Gguf& file, const std::string& name, std::size_t tokens) {
  if (file.find_value(key_of(name)) == nullptr) return nullptr;
  const auto& list = file.value<std::vector<Type>>(key_of(name));
  if (list.size() != tokens) {
    throw InputError(fmt::format("{}: metadata key '{}' has {} entries for {} tokens", file.path(),
                                 key_of(name), list.size(), tokens));
  }
  return &list;
}

SentencePieceModel::PieceKind kind_at(const Gguf& file, const std::vector<std::int64_t>* kinds,
                                      std::size_t i) {
  if (kinds == nullptr) return SentencePieceModel::PieceKind::kNormal;
  const std::int64_t kind = (*kinds)[i];
  if (kind < 1 || kind > 6) {
    throw InputError(
        fmt::format("{}: token {} is of type {}; 1 to 6 are accepted", file.path(), i, kind));
  }
  return static_cast<SentencePieceModel::PieceKind>(kind);
}

// The id that the metadata has under a name.
std::optional<TokenId> id_of(const Gguf& file, const std::string& name, std::size_t tokens) {
  const auto id = optional_value<std::int64_t>(file, key_of(name));
  if (id && (*id < 0 || *id >= static_cast<std::int64_t>(tokens))) {
    throw InputError(fmt::format("{}: metadata key '{}' is {}; the ids of its tokens are 0 to {}",
                                 file.path(), key_of(name), *id, tokens - 1));
  }
  return id;
}

TokenizerSettings read_settings(const Gguf& file, const std::vector<std::string>& tokens) {
  TokenizerSettings settings;
  settings.bos_id = id_of(file, "bos_token_id", tokens.size());
  settings.stop_ids = gguf_stop_tokens(file);
  settings.add_bos = optional_value<bool>(file, key_of("add_bos_token"));
  settings.add_eos = optional_value<bool>(file, key_of("add_eos_token"));
  return settings;
}

std::unique_ptr<Tokenizer> make_sentencepiece(const Gguf& file) {
  const auto& tokens = file.value<std::vector<std::string>>(key_of("tokens"));
  const auto* scores = list_of<double>(file, "scores", tokens.size());
  const auto* kinds = list_of<std::int64_t>(file, "token_type", tokens.size());
  TokenizerSettings settings = read_settings(file, tokens);
  // Which piece is the unknown one is said here, whatever its type.
  const TokenId unknown = id_of(file, "unknown_token_id", tokens.size()).value_or(0);
  SentencePieceModel model;
  model.kind = SentencePieceModel::Kind::kBpe;
  model.add_dummy_prefix = optional_value<bool>(file, key_of("add_space_prefix")).value_or(true);
  model.remove_extra_whitespaces =
      optional_value<bool>(file, key_of("remove_extra_whitespaces")).value_or(false);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    SentencePieceModel::Piece piece{tokens[i], 0, kind_at(file, kinds, i)};
    if (static_cast<TokenId>(i) == unknown) {
      piece.kind = SentencePieceModel::PieceKind::kUnknown;
    } else if (piece.kind == SentencePieceModel::PieceKind::kUnknown) {
      piece.kind = SentencePieceModel::PieceKind::kUnused;
    }
    if (scores != nullptr) piece.score = static_cast<float>((*scores)[i]);
    if (piece.kind == SentencePieceModel::PieceKind::kByte) model.byte_fallback = true;
    if (piece.kind == SentencePieceModel::PieceKind::kUserDefined) {
      // GGUF writes these as they stand in a text, the library as in its pieces.
      std::string marked;
      for (const char c : piece.text) marked += c == ' ' ? "\xE2\x96\x81" : std::string(1, c);
      piece.text = marked;
    }
    model.pieces.push_back(std::move(piece));
  }
  return std::make_unique<SentencePieceTokenizer>(std::move(model), settings, file.path());
}

PreTokenizer pre_tokenizer_of(const PreKind& kind, const std::string& where) {
  std::vector<PreTokenizer> steps;
  for (const char* words : kind.words) steps.push_back(split_by(Regex(words, where)));
  steps.push_back(make_byte_level(false, false));
  return [steps](std::vector<Piece> pieces) {
    for (const PreTokenizer& step : steps) pieces = step(std::move(pieces));
    return pieces;
  };
}

const PreKind& pre_kind_of(const Gguf& file) {
  const std::string& name = file.value<std::string>(key_of("pre"));
  const auto found = pre_kinds().find(name);
  if (found != pre_kinds().end()) return found->second;
  std::string names;
  for (const auto& [known, kind] : pre_kinds()) names += (names.empty() ? "" : ", ") + known;
  throw InputError(fmt::format("{}: metadata key '{}' is {}; accepted are {}", file.path(),
                               key_of("pre"), lingua::quoted(name), names));
}

std::unique_ptr<Tokenizer> make_byte_level_bpe(const Gguf& file) {
  const auto& tokens = file.value<std::vector<std::string>>(key_of("tokens"));
  const auto* kinds = list_of<std::int64_t>(file, "token_type", tokens.size());
  const PreKind& pre = pre_kind_of(file);
  TokenizerSettings settings = read_settings(file, tokens);
  BpeTokenizer::Parts parts;
  parts.vocabulary =
      std::make_unique<Vocabulary>(fmt::format("{}: '{}'", file.path(), key_of("tokens")));
  parts.vocabulary->expect(tokens.size());
  std::vector<AddedToken> all_added;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    const auto kind = kind_at(file, kinds, i);
    using PieceKind = SentencePieceModel::PieceKind;
    const bool added = kind == PieceKind::kControl || kind == PieceKind::kUserDefined;
    if (added) all_added.push_back({tokens[i], id, kind == PieceKind::kControl});
    if (kind == PieceKind::kNormal || kind == PieceKind::kByte)
      parts.vocabulary->add(tokens[i], id);
    // Unused ids have names of no meaning ("[PAD151646]").
    if (kind == PieceKind::kUnused || kind == PieceKind::kUnknown) {
      all_added.push_back({tokens[i], id, true});
    }
  }
  parts.added = AddedTokenList(std::move(all_added));
  Bpe::Options options;
  options.ignore_merges = pre.ignore_merges;
  const std::string where = fmt::format("{}: '{}'", file.path(), key_of("merges"));
  parts.bpe = std::make_unique<Bpe>(*parts.vocabulary, options, where);
  for (const std::string& merge : file.value<std::vector<std::string>>(key_of("merges"))) {
    const std::size_t space = merge.find(' ', 1);
    if (space == std::string::npos) {
      throw InputError(fmt::format("{}: {} is no merge; two tokens with a space between them are",
                                   where, lingua::quoted(merge)));
    }
    parts.bpe->add_merge(std::string_view(merge).substr(0, space),
                         std::string_view(merge).substr(space + 1));
  }
  parts.normalizer = [nfc = pre.nfc](std::string text) {
    return nfc ? normal_form(text, NormalForm::kNfc) : text;
  };
  parts.pre_tokenizer = pre_tokenizer_of(pre, file.path());
  parts.decoder = std::make_unique<Decoder>(Decoder::byte_level());
  if (settings.bos_id && settings.add_bos.value_or(pre.add_bos)) {
    parts.before.push_back(*settings.bos_id);
  }
  if (settings.add_eos.value_or(false) && !settings.stop_ids.empty()) {
    parts.after.push_back(settings.stop_ids.front());
  }
  return std::make_unique<BpeTokenizer>(std::move(parts), settings, file.path());
}

}  // namespace

std::unique_ptr<Tokenizer> load_gguf_tokenizer(const std::filesystem::path& path) {
  const Gguf file(path);
  const std::string& model = file.value<std::string>(key_of("model"));
  if (model == "llama") return make_sentencepiece(file);
  if (model == "gpt2") return make_byte_level_bpe(file);
  throw InputError(fmt::format("{}: metadata key '{}' is {}; accepted are llama, gpt2", file.path(),
                               key_of("model"), lingua::quoted(model)));
}

}  // namespace lingua
