#include "runtime/text/sentencepiece_tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/checkpoint/json.h"

namespace lingua {
namespace {

using PieceKind = SentencePieceModel::PieceKind;

constexpr std::string_view kSpaceMark = "\xE2\x96\x81";  // U+2581

// Control pieces, and the tokens that the folder adds to the pieces.
std::vector<AddedToken> added_tokens(const SentencePieceModel& model,
                                     const TokenizerSettings& settings, const std::string& where) {
  std::map<TokenId, AddedToken> added;
  const auto pieces = static_cast<TokenId>(model.pieces.size());
  for (TokenId id = 0; id < pieces; ++id) {
    const SentencePieceModel::Piece& piece = model.pieces[static_cast<std::size_t>(id)];
    if (piece.kind == PieceKind::kControl) added[id] = {piece.text, id, true};
  }
  for (const AddedToken& token : settings.added) {
    if (token.id < pieces) {
      const SentencePieceModel::Piece& piece = model.pieces[static_cast<std::size_t>(token.id)];
      if (piece.text != token.content) {
        throw InputError(fmt::format(
            "{}: the id {} belongs to the added token {} and to the piece "
            "{}",
            where, token.id, lingua::quoted(token.content), lingua::quoted(piece.text)));
      }
      // The unknown piece is what becomes of unknown text; it is not looked for.
      if (piece.kind == PieceKind::kUnknown) continue;
    } else if (token.id > pieces + static_cast<TokenId>(settings.added.size()) + 65536) {
      throw InputError(fmt::format("{}: the added token {} has id {}, far beyond the {} pieces",
                                   where, lingua::quoted(token.content), token.id, pieces));
    }
    AddedToken& entry = added[token.id];
    const bool control = entry.special;
    entry = token;
    entry.special = entry.special || control;
    entry.normalized = false;  // they are looked for in the text as it is
  }
  std::vector<AddedToken> all;
  for (auto& [id, token] : added) all.push_back(std::move(token));
  return all;
}

}  // namespace

SentencePieceTokenizer::SentencePieceTokenizer(SentencePieceModel model,
                                               const TokenizerSettings& settings,
                                               const std::string& where)
    : model_(std::move(model)) {
  check_sentencepiece(model_, where);
  if (model_.space_is_suffix) {
    throw InputError(
        fmt::format("{}: treat_whitespace_as_suffix is true; false is accepted", where));
  }
  std::string refusal;
  encoder_ = load_piece_encoder(serialise_sentencepiece(model_), &refusal);
  if (encoder_ == nullptr) {
    throw InputError(
        fmt::format("{}: SentencePiece refuses the model: {}", where, lingua::quoted(refusal)));
  }
  added_ = AddedTokens(added_tokens(model_, settings, where), nullptr, where);
  size_ = static_cast<std::int64_t>(model_.pieces.size());
  for (const AddedToken& token : added_.tokens()) size_ = std::max(size_, token.id + 1);

  TokenizerSettings known = settings;
  if (!known.bos) known.bos = model_.bos;
  if (!known.eos) known.eos = model_.eos;
  take_settings(known, where);
  if (bos_ && known.add_bos.value_or(true)) before_.push_back(*bos_);
  if (known.add_eos.value_or(false)) {
    if (const auto eos = special(*known.eos)) after_.push_back(*eos);
  }
  // The chat tokens of files that call them user-defined are found by special() too.
}

void SentencePieceTokenizer::encode_part(const TextPart& part, bool,
                                         std::vector<TokenId>& ids) const {
  const std::vector<int> pieces = encoder_->encode(part.text);
  ids.insert(ids.end(), pieces.begin(), pieces.end());
}

bool SentencePieceTokenizer::is_special(TokenId id) const {
  const AddedToken* added = added_.find(id);
  return added != nullptr && added->special;
}

std::string SentencePieceTokenizer::surface(TokenId id) const {
  if (const AddedToken* added = added_.find(id)) return added->content;
  if (id < 0 || id >= static_cast<TokenId>(model_.pieces.size())) {
    throw InputError(fmt::format("the id {} is no token; ids from 0 to {} are", id, size_ - 1));
  }
  const SentencePieceModel::Piece& piece = model_.pieces[static_cast<std::size_t>(id)];
  if (piece.kind == PieceKind::kUnknown) return model_.unknown_surface;
  if (piece.kind == PieceKind::kByte) {
    unsigned byte = 0;
    std::from_chars(piece.text.data() + 3, piece.text.data() + 5, byte, 16);
    return std::string(1, static_cast<char>(byte));
  }
  std::string text;
  for (std::size_t from = 0;;) {
    const std::size_t mark = piece.text.find(kSpaceMark, from);
    text.append(piece.text, from, mark - from);
    if (mark == std::string::npos) return text;
    text += ' ';
    from = mark + kSpaceMark.size();
  }
}

std::string SentencePieceTokenizer::decode(const std::vector<TokenId>& ids,
                                           bool keep_special) const {
  const bool prefixed = model_.add_dummy_prefix || model_.remove_extra_whitespaces;
  std::string text;
  bool at_start = true;  // nothing but special tokens yet
  for (const TokenId id : ids) {
    if (is_special(id)) {
      if (keep_special) text += surface(id);
      continue;
    }
    std::string more = surface(id);
    const bool unknown = id < static_cast<TokenId>(model_.pieces.size()) &&
                         model_.pieces[static_cast<std::size_t>(id)].kind == PieceKind::kUnknown;
    if (at_start && prefixed && !unknown && more.starts_with(' ')) {
      more.erase(0, 1);
      at_start = model_.remove_extra_whitespaces && more.empty();
    } else {
      at_start = at_start && more.empty();
    }
    text += more;
  }
  return text;
}

std::string SentencePieceTokenizer::token_bytes(TokenId id) const {
  return is_special(id) ? "" : surface(id);
}

std::unique_ptr<Tokenizer> load_sentencepiece_tokenizer(const std::filesystem::path& path,
                                                        const TokenizerSettings& settings) {
  const std::string where = path.string();
  return std::make_unique<SentencePieceTokenizer>(parse_sentencepiece(read_file(path), where),
                                                  settings, where);
}

}  // namespace lingua
