#include "runtime/text/common_tokenizer.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/base/errors.h"

namespace lingua {

void CommonTokenizer::encode_text(std::string_view text, bool at_start, bool parse_special,
                                  std::vector<TokenId>& ids) const {
  constexpr std::size_t kLongest = 64U << 20;
  if (text.size() > kLongest) {
    throw InputError(
        fmt::format("a text of {} bytes; up to {} can be encoded at once", text.size(), kLongest));
  }
  check_utf8(text, "the text");
  parse_special = parse_special && !split_special_tokens_;
  const TextPart whole{kNoToken, std::string(text), at_start};
  for (const TextPart& part : added_.split(whole, false, parse_special)) {
    if (part.token == kNoToken) {
      encode_part(part, parse_special, ids);
    } else {
      ids.push_back(part.token);
    }
  }
}

std::vector<TokenId> CommonTokenizer::encode(std::string_view text, bool add_special,
                                             bool parse_special) const {
  std::vector<TokenId> ids;
  if (add_special) ids = before_;
  encode_text(text, true, parse_special, ids);
  if (add_special) ids.insert(ids.end(), after_.begin(), after_.end());
  return ids;
}

std::vector<TokenId> CommonTokenizer::encode_parts(const std::vector<PromptPart>& parts) const {
  std::vector<TokenId> ids;
  std::string text;
  bool at_start = true;
  for (const PromptPart& part : parts) {
    text += part.text;
    if (part.token == kNoToken) continue;
    encode_text(text, at_start, false, ids);
    ids.push_back(part.token);
    text.clear();
    at_start = false;
  }
  encode_text(text, at_start, false, ids);
  return ids;
}

std::optional<TokenId> CommonTokenizer::special(const std::string& name) const {
  const AddedToken* token = added_.find(name);
  if (token == nullptr || !is_control(*token)) return std::nullopt;
  return token->id;
}

void CommonTokenizer::take_settings(const TokenizerSettings& settings, const std::string& where) {
  if (settings.bos) bos_ = special(*settings.bos);
  if (!bos_ && settings.bos_id) {
    bos_ = settings.bos_id;
    if (*bos_ >= size()) {
      throw InputError(
          fmt::format("{}: the beginning of a sequence is the id {}, but the tokenizer's ids are 0 "
                      "to {}",
                      where, *bos_, size() - 1));
    }
  }
  if (settings.eos) {
    if (const auto eos = special(*settings.eos)) stops_.push_back(*eos);
  }
  for (const TokenId id : settings.stop_ids) {
    if (std::find(stops_.begin(), stops_.end(), id) == stops_.end()) stops_.push_back(id);
  }
  split_special_tokens_ = settings.split_special_tokens;
  clean_up_spaces_ = settings.clean_up_spaces;
}

}  // namespace lingua
