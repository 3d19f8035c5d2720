#include "runtime/text/added_tokens.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/base/errors.h"
#include "runtime/checkpoint/json.h"
#include "runtime/text/unicode.h"
#include "runtime/text/utf8.h"

namespace lingua {
namespace {

constexpr std::size_t kLongest = 1000;

bool spaces_at(std::string_view text, std::size_t at) {
  return at < text.size() && is_white_space(utf8_piece(text, at).code_point);
}

std::size_t character_before(std::string_view text, std::size_t at) {
  do {
    --at;
  } while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80);
  return at;
}

bool word_beside(std::string_view text, std::size_t begin, std::size_t end) {
  return (begin > 0 && is_word(utf8_piece(text, character_before(text, begin)).code_point)) ||
         (end < text.size() && is_word(utf8_piece(text, end).code_point));
}

}  // namespace

bool is_control(const AddedToken& token) {
  static const std::vector<std::string> kMarks = {
      "<start_of_turn>", "<end_of_turn>", "[INST]", "[/INST]", "<s>", "</s>", "<bos>", "<eos>"};
  const std::string& content = token.content;
  return token.special || std::find(kMarks.begin(), kMarks.end(), content) != kMarks.end() ||
         (content.size() > 4 && content.starts_with("<|") && content.ends_with("|>"));
}

bool same_token(const AddedToken& a, const AddedToken& b) {
  return a.content == b.content && a.special == b.special && a.single_word == b.single_word &&
         a.lstrip == b.lstrip && a.rstrip == b.rstrip && a.normalized == b.normalized;
}

AddedTokenList::AddedTokenList(std::vector<AddedToken> tokens) : others_(std::move(tokens)) {
  for (const AddedToken& token : others_) by_id_.emplace(token.id, token);
}

TokenId AddedTokenList::id_of(const std::string& content) {
  if (const auto known = ids_.find(content); known != ids_.end()) return known->second;
  const TokenId id = find_id_(content).value_or(next_);
  ids_.emplace(content, id);
  next_ = std::max(next_, id + 1);
  return id;
}

void AddedTokenList::add(const std::vector<AddedToken>& tokens) {
  for (const AddedToken& token : tokens) {
    if (token.special && special_names_.insert(token.content).second) special_.push_back(token);
  }
  for (AddedToken token : tokens) {
    token.id = id_of(token.content);
    const auto known = by_id_.find(token.id);
    if (known != by_id_.end() && same_token(known->second, token)) continue;
    by_id_[token.id] = token;
    if (!special_names_.contains(token.content)) others_.push_back(token);
  }
}

void AddedTokenList::drop_special_from(TokenId id) {
  const auto beyond = [&](const AddedToken& token) {
    const auto known = ids_.find(token.content);
    return special_names_.contains(token.content) && known != ids_.end() && known->second >= id;
  };
  std::erase_if(by_id_, [&](const auto& entry) { return beyond(entry.second); });
  std::erase_if(others_, beyond);
  std::erase_if(special_, beyond);
}

std::vector<AddedToken> AddedTokenList::tokens() const {
  std::vector<AddedToken> all;
  for (const auto& [id, token] : by_id_) {
    all.push_back(token);
    all.back().special = token.special || special_names_.contains(token.content);
  }
  return all;
}

std::vector<AddedToken> AddedTokenList::searched() const {
  std::vector<AddedToken> all = special_;
  all.insert(all.end(), others_.begin(), others_.end());
  return all;
}

void AddedTokens::Trie::add(std::string_view content, int token) {
  begins_[static_cast<unsigned char>(content[0])] = true;
  std::uint32_t node = 0;
  for (const char c : content) {
    const std::uint64_t key = std::uint64_t{node} << 8 | static_cast<unsigned char>(c);
    const auto [next, is_new] =
        next_.try_emplace(key, static_cast<std::uint32_t>(token_at_.size()));
    if (is_new) token_at_.push_back(-1);
    node = next->second;
  }
  if (token_at_[node] < 0) token_at_[node] = token;
}

int AddedTokens::Trie::longest(std::string_view text, std::size_t at, bool parse_special,
                               const std::vector<bool>& control, std::size_t* length) const {
  int best = -1;
  if (!begins_[static_cast<unsigned char>(text[at])]) return best;
  std::uint32_t node = 0;
  for (std::size_t i = at; i < text.size(); ++i) {
    const auto next = next_.find(std::uint64_t{node} << 8 | static_cast<unsigned char>(text[i]));
    if (next == next_.end()) break;
    node = next->second;
    const int token = token_at_[node];
    if (token < 0 || (!parse_special && control[static_cast<std::size_t>(token)])) continue;
    best = token;
    *length = i + 1 - at;
  }
  return best;
}

AddedTokens::AddedTokens(const AddedTokenList& list, const Normalise& normalise,
                         const std::string& where)
    : tokens_(list.tokens()) {
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    control_.push_back(is_control(tokens_[i]));
    by_id_.emplace(tokens_[i].id, static_cast<int>(i));
    by_content_.emplace(tokens_[i].content, static_cast<int>(i));
  }
  for (const AddedToken& token : list.searched()) {
    const std::string content =
        token.normalized && normalise ? normalise(token.content) : token.content;
    if (content.empty() || content.size() > kLongest) {
      throw InputError(fmt::format("{}: the added token {} has {} bytes; 1 to {} are accepted",
                                   where, lingua::quoted(token.content), content.size(), kLongest));
    }
    (token.normalized ? normalized_ : raw_).add(content, by_content_.at(token.content));
  }
}

std::vector<TextPart> AddedTokens::split(const TextPart& part, bool normalized,
                                         bool parse_special) const {
  const Trie& trie = normalized ? normalized_ : raw_;
  const std::string_view text = part.text;
  std::vector<TextPart> parts;
  std::size_t from = 0;
  const auto take_text = [&](std::size_t to) {
    if (from < to) {
      parts.push_back(
          {kNoToken, std::string(text.substr(from, to - from)), part.at_start && from == 0});
    }
  };
  for (std::size_t at = 0; at < text.size();) {
    std::size_t length = 0;
    const int found = trie.longest(text, at, parse_special, control_, &length);
    if (found < 0) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[static_cast<std::size_t>(found)];
    std::size_t begin = at;
    std::size_t end = at + length;
    at = end;
    if (token.single_word && word_beside(text, begin, end)) continue;
    while (token.lstrip && begin > from && spaces_at(text, character_before(text, begin))) {
      begin = character_before(text, begin);
    }
    while (token.rstrip && spaces_at(text, end)) end += utf8_piece(text, end).bytes;
    take_text(begin);
    parts.push_back({token.id, "", false});
    from = at = end;
  }
  take_text(text.size());
  return parts;
}

const AddedToken* AddedTokens::find(TokenId id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &tokens_[static_cast<std::size_t>(found->second)];
}

const AddedToken* AddedTokens::find(const std::string& content) const {
  const auto found = by_content_.find(content);
  return found == by_content_.end() ? nullptr : &tokens_[static_cast<std::size_t>(found->second)];
}

}  // namespace lingua
