#include "runtime/text/bpe_tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "runtime/base/errors.h"
#include "runtime/checkpoint/json.h"

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
  // Tokens for what the model has no embeddings of (images, say) cannot be used.
  if (settings.vocabulary) {
    std::erase_if(parts_.added, [&](const AddedToken& token) {
      return token.special && token.id >= *settings.vocabulary;
    });
  }
  check_added(*parts_.vocabulary, parts_.added, where);
  added_ = AddedTokens(parts_.added, parts_.normalizer, where);
  before_ = parts_.before;
  after_ = parts_.after;
  size_ = parts_.vocabulary->size();
  for (const AddedToken& token : added_.tokens()) size_ = std::max(size_, token.id + 1);
  for (const std::vector<TokenId>& around : {before_, after_}) {
    for (const TokenId id : around) token(id);
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

const std::string& BpeTokenizer::token(TokenId id) const {
  if (const AddedToken* added = added_.find(id)) return added->content;
  const std::string* token = parts_.vocabulary->token(id);
  if (token == nullptr) {
    throw InputError(fmt::format("the id {} is no token; ids from 0 to {} are", id, size_ - 1));
  }
  return *token;
}

std::string BpeTokenizer::decode(const std::vector<TokenId>& ids, bool keep_special) const {
  std::vector<std::string> tokens;
  for (const TokenId id : ids) {
    const std::string& text = token(id);
    const AddedToken* added = added_.find(id);
    if (added == nullptr || !added->special || keep_special) tokens.push_back(text);
  }
  return parts_.decoder->text_of(std::move(tokens));
}

std::string BpeTokenizer::token_bytes(TokenId id) const {
  const std::string& text = token(id);
  const AddedToken* added = added_.find(id);
  return added != nullptr && added->special ? "" : parts_.decoder->bytes_of(text);
}

}  // namespace lingua
