#include "runtime/text/bpe_tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "runtime/base/errors.h"
#include "runtime/checkpoint/json.h"
#include "runtime/text/clean_up.h"

namespace lingua {
namespace {

// Words that were encoded already, within one text.
class WordCache {
 public:
  explicit WordCache(const Bpe& bpe) : bpe_(bpe) {}

  void encode(const std::string& word, std::vector<TokenId>& ids) {
    if (word.size() > kLongest || known_.size() >= kMost) return bpe_.encode(word, ids);
    const auto [entry, is_new] = known_.try_emplace(word);
    if (is_new) bpe_.encode(word, entry->second);
    ids.insert(ids.end(), entry->second.begin(), entry->second.end());
  }

 private:
  static constexpr std::size_t kLongest = 64;
  static constexpr std::size_t kMost = 100000;
  const Bpe& bpe_;
  std::unordered_map<std::string, std::vector<TokenId>> known_;
};

void check_added(const Vocabulary& vocabulary, const std::vector<AddedToken>& added,
                 const std::string& where) {
  Vocabulary all(where);
  all.expect(static_cast<std::size_t>(vocabulary.size()) + added.size());
  for (const AddedToken& token : added) {
    all.add(token.content, token.id);
    const std::string* same_id = vocabulary.token(token.id);
    if (same_id != nullptr && *same_id != token.content) {
      throw InputError(fmt::format("{}: the id {} belongs to the added token {} and to {}", where,
                                   token.id, lingua::quoted(token.content),
                                   lingua::quoted(*same_id)));
    }
    const auto same_text = vocabulary.find(token.content);
    if (same_text && *same_text != token.id) {
      throw InputError(fmt::format("{}: the added token {} has id {}, and in the vocabulary {}",
                                   where, lingua::quoted(token.content), token.id, *same_text));
    }
  }
}

}  // namespace

BpeTokenizer::BpeTokenizer(Parts parts, const TokenizerSettings& settings, const std::string& where)
    : parts_(std::move(parts)) {
  check_added(*parts_.vocabulary, parts_.added.tokens(), where);
  added_ = AddedTokens(parts_.added, parts_.normalizer, where);
  before_ = parts_.before;
  after_ = parts_.after;
  size_ = parts_.vocabulary->size();
  for (const AddedToken& token : added_.tokens()) size_ = std::max(size_, token.id + 1);
  for (const std::vector<TokenId>& around : {before_, after_}) {
    for (const TokenId id : around) {
      if (token(id) != nullptr) continue;
      throw InputError(
          fmt::format("{}: the id {} stands around each text and is no token; ids from 0 to {} are",
                      where, id, size_ - 1));
    }
  }
  take_settings(settings, where);
}

void BpeTokenizer::encode_part(const TextPart& part, bool parse_special,
                               std::vector<TokenId>& ids) const {
  const TextPart normalised{kNoToken, parts_.normalizer(part.text), part.at_start};
  WordCache words(*parts_.bpe);
  for (const TextPart& inner : added_.split(normalised, true, parse_special)) {
    if (inner.token != kNoToken) {
      ids.push_back(inner.token);
      continue;
    }
    for (const Piece& piece : parts_.pre_tokenizer({{inner.text, inner.at_start}})) {
      words.encode(piece.text, ids);
    }
  }
}

const std::string* BpeTokenizer::token(TokenId id) const {
  if (const AddedToken* added = added_.find(id)) return &added->content;
  return parts_.vocabulary->token(id);
}

std::string BpeTokenizer::decode(const std::vector<TokenId>& ids, bool keep_special) const {
  std::vector<std::string> tokens;
  for (const TokenId id : ids) {
    const std::string* text = token(id);
    const AddedToken* added = added_.find(id);
    const bool shown = added == nullptr || !added->special || keep_special;
    if (text != nullptr && shown) tokens.push_back(*text);
  }
  const std::string text = parts_.decoder->text_of(std::move(tokens));
  return cleans_up_spaces() ? clean_up_spaces(text) : text;
}

std::string BpeTokenizer::token_bytes(TokenId id) const {
  const std::string* text = token(id);
  const AddedToken* added = added_.find(id);
  const bool shown = text != nullptr && (added == nullptr || !added->special);
  return shown ? parts_.decoder->bytes_of(*text) : "";
}

}  // namespace lingua
