#include "runtime/text/tokenizer.h"

#include <fmt/format.h>

#include <filesystem>

#include "runtime/base/errors.h"
#include "runtime/checkpoint/gguf.h"
#include "runtime/text/common_tokenizer.h"
#include "runtime/text/utf8.h"

namespace lingua {

namespace fs = std::filesystem;

std::vector<TokenId> Tokenizer::encode_parts(const std::vector<PromptPart>& parts) const {
  std::vector<TokenId> ids;
  std::string text;
  const auto encode_text = [&] {
    const std::vector<TokenId> more = encode(text, false, false);
    ids.insert(ids.end(), more.begin(), more.end());
    text.clear();
  };
  for (const PromptPart& part : parts) {
    text += part.text;
    if (part.token == kNoToken) continue;
    encode_text();
    ids.push_back(part.token);
  }
  encode_text();
  return ids;
}

std::unique_ptr<Tokenizer> load_tokenizer(const std::string& model) {
  const fs::path path(model);
  if (fs::is_directory(path)) {
    const fs::path json = path / "tokenizer.json";
    const fs::path pieces = path / "tokenizer.model";
    const bool has_pieces = fs::exists(pieces);
    if (has_pieces || fs::exists(json)) {
      const TokenizerSettings settings = read_tokenizer_settings(path);
      return has_pieces && (settings.rereads_pieces || !fs::exists(json))
                 ? load_sentencepiece_tokenizer(pieces, settings)
                 : load_json_tokenizer(json, settings);
    }
    throw InputError(
        fmt::format("{}: has no tokenizer; tokenizer.json or tokenizer.model are accepted", model));
  }
  if (!fs::exists(path)) throw InputError(fmt::format("{}: does not exist", model));
  if (Gguf::is_gguf(path)) return load_gguf_tokenizer(path);
  throw InputError(fmt::format(
      "{}: has no tokenizer; a folder with tokenizer.json or tokenizer.model, or a GGUF file, has",
      model));
}

bool has_tokenizer(const std::string& model) {
  const fs::path path(model);
  if (fs::is_directory(path)) {
    return fs::exists(path / "tokenizer.json") || fs::exists(path / "tokenizer.model");
  }
  return fs::is_regular_file(path) && Gguf::is_gguf(path) &&
         Gguf(path).find_value("tokenizer.ggml.model") != nullptr;
}

void check_vocabulary(const Tokenizer& tokenizer, std::int64_t vocabulary,
                      const std::string& model) {
  if (tokenizer.size() <= vocabulary) return;
  throw InputError(fmt::format(
      "{}: the tokenizer has {} tokens, the model's vocabulary {}; no more tokens than that are "
      "accepted",
      model, tokenizer.size(), vocabulary));
}

void check_utf8(std::string_view text, const std::string& where) {
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Piece piece = utf8_piece(text, at);
    if (piece.kind != Utf8Piece::Kind::kCharacter) {
      throw InputError(fmt::format("{}: byte {} (0x{:02x}) is not UTF-8", where, at,
                                   static_cast<unsigned char>(text[at])));
    }
    at += piece.bytes;
  }
}

}  // namespace lingua
