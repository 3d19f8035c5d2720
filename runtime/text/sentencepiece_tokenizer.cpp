#include "runtime/text/sentencepiece_tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <unordered_map>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/checkpoint/json.h"
#include "runtime/text/clean_up.h"

namespace lingua {
namespace {

using PieceKind = SentencePieceModel::PieceKind;

constexpr std::string_view kSpaceMark = "\xE2\x96\x81";  // U+2581

std::string with_spaces(const std::string& piece) {
  std::string text;
  for (std::size_t from = 0;;) {
    const std::size_t mark = piece.find(kSpaceMark, from);
    text.append(piece, from, mark - from);
    if (mark == std::string::npos) return text;
    text += ' ';
    from = mark + kSpaceMark.size();
  }
}

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

// What transformers makes of a model's pieces and the files beside it; user-defined pieces are found
// in a text before others are, as if they had been added.
AddedTokenList class_tokens(const SentencePieceModel& model, const TokenizerSettings& settings) {
  std::unordered_map<std::string, TokenId> ids;
  std::vector<AddedToken> own;
  const std::vector<std::string>& special = settings.tokenizer_class.special_pieces;
  for (const SentencePieceModel::Piece& piece : model.pieces) {
    const auto id = static_cast<TokenId>(ids.size());
    ids.emplace(piece.text, id);
    if (piece.kind != PieceKind::kControl && piece.kind != PieceKind::kUserDefined) continue;
    own.push_back({piece.text, id,
                   piece.kind == PieceKind::kControl ||
                       std::find(special.begin(), special.end(), piece.text) != special.end()});
  }
  AddedTokenList list(
      [ids = std::move(ids)](const std::string& text) -> std::optional<TokenId> {
        const auto found = ids.find(text);
        if (found == ids.end()) return std::nullopt;
        return found->second;
      },
      static_cast<std::int64_t>(model.pieces.size()));
  list.add(own);
  list.add(further_tokens(settings, list.tokens()));
  if (settings.vocabulary) list.drop_special_from(*settings.vocabulary);
  return list;
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
  if (settings.tokenizer_class.reads_pieces) read_as_class(settings);
  make_encoder(where);
  added_ = AddedTokens(prefix_ == Prefix::kAsModel
                           ? AddedTokenList(added_tokens(model_, settings, where))
                           : class_tokens(model_, settings),
                       nullptr, where);
  size_ = static_cast<std::int64_t>(model_.pieces.size());
  for (const AddedToken& token : added_.tokens()) size_ = std::max(size_, token.id + 1);

  TokenizerSettings known = settings;
  if (!known.bos && prefix_ == Prefix::kAsModel) known.bos = model_.bos;
  if (!known.eos && prefix_ == Prefix::kAsModel) known.eos = model_.eos;
  take_settings(known, where);
  if (bos_ && known.add_bos.value_or(true)) before_.push_back(*bos_);
  if (known.add_eos.value_or(false) && known.eos) {
    if (const auto eos = special(*known.eos)) after_.push_back(*eos);
  }
  // The chat tokens of files that call them user-defined are found by special() too.
}

void SentencePieceTokenizer::read_as_class(const TokenizerSettings& settings) {
  prefix_ = !settings.prefixes_pieces ? Prefix::kNowhere
            : settings.legacy         ? Prefix::kEachPart
                                      : Prefix::kFirstPart;
  model_.normalisation_table.clear();
  model_.remove_extra_whitespaces = false;
  model_.add_dummy_prefix = false;
}

void SentencePieceTokenizer::make_encoder(const std::string& where) {
  SentencePieceModel model = model_;
  for (SentencePieceModel::Piece& piece : model.pieces) {
    const bool added = prefix_ != Prefix::kAsModel && piece.kind == PieceKind::kUserDefined;
    if (added) piece.kind = PieceKind::kNormal;
  }
  std::string refusal;
  encoder_ = load_piece_encoder(serialise_sentencepiece(model), &refusal);
  if (encoder_ == nullptr) {
    throw InputError(
        fmt::format("{}: SentencePiece refuses the model: {}", where, lingua::quoted(refusal)));
  }
}

void SentencePieceTokenizer::encode_part(const TextPart& part, bool,
                                         std::vector<TokenId>& ids) const {
  std::string text = part.text;
  if (prefix_ == Prefix::kEachPart) text.insert(0, 1, ' ');
  const bool begins = text.starts_with(' ') || text.starts_with(kSpaceMark);
  if (prefix_ == Prefix::kFirstPart && part.at_start && !begins) text.insert(0, 1, ' ');
  const std::vector<int> pieces = encoder_->encode(text);
  ids.insert(ids.end(), pieces.begin(), pieces.end());
}

bool SentencePieceTokenizer::is_special(TokenId id) const {
  const AddedToken* added = added_.find(id);
  return added != nullptr && added->special;
}

std::string SentencePieceTokenizer::surface(TokenId id) const {
  if (const AddedToken* added = added_.find(id)) {
    return prefix_ == Prefix::kAsModel ? added->content : with_spaces(added->content);
  }
  if (id < 0 || id >= static_cast<TokenId>(model_.pieces.size())) return "";
  const SentencePieceModel::Piece& piece = model_.pieces[static_cast<std::size_t>(id)];
  if (piece.kind == PieceKind::kUnknown) return model_.unknown_surface;
  if (piece.kind == PieceKind::kByte) {
    unsigned byte = 0;
    std::from_chars(piece.text.data() + 3, piece.text.data() + 5, byte, 16);
    return std::string(1, static_cast<char>(byte));
  }
  return with_spaces(piece.text);
}

std::string SentencePieceTokenizer::decode(const std::vector<TokenId>& ids,
                                           bool keep_special) const {
  if (prefix_ != Prefix::kAsModel) return decode_as_class(ids, keep_special);
  const bool prefixed = model_.add_dummy_prefix || model_.remove_extra_whitespaces;
  std::string text;
  bool at_start = true;  // nothing but special tokens yet
  for (const TokenId id : ids) {
    if (is_special(id)) {
      if (keep_special) text += surface(id);
      continue;
    }
    std::string more = surface(id);
    const bool unknown = id >= 0 && id < static_cast<TokenId>(model_.pieces.size()) &&
                         model_.pieces[static_cast<std::size_t>(id)].kind == PieceKind::kUnknown;
    if (at_start && prefixed && !unknown && more.starts_with(' ')) {
      more.erase(0, 1);
      at_start = model_.remove_extra_whitespaces && more.empty();
    } else {
      at_start = at_start && more.empty();
    }
    text += more;
  }
  return cleans_up_spaces() ? clean_up_spaces(text) : text;
}

std::string SentencePieceTokenizer::decode_as_class(const std::vector<TokenId>& ids,
                                                    bool keep_special) const {
  std::string text;
  for (const TokenId id : ids) {
    if (keep_special || !is_special(id)) text += surface(id);
  }
  if (prefix_ != Prefix::kNowhere && text.starts_with(' ')) text.erase(0, 1);
  return cleans_up_spaces() ? clean_up_spaces(text) : text;
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
