#pragma once
// Tokens that are found in a text before the model sees it: special ones ("<bos>") and others.
//
// Order: from the left, the longest token at each place, as in the library `tokenizers`.
// Threads: const functions may be called from several threads.

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "runtime/device/message.h"

namespace lingua {

struct AddedToken {
  std::string content;
  TokenId id = 0;
  bool special = false;      // left out of decoded text
  bool single_word = false;  // no letter or digit beside it
  bool lstrip = false;       // takes the white space before it
  bool rstrip = false;       // and after it
  bool normalized = false;   // found in the normalised text
};
bool same_token(const AddedToken& a, const AddedToken& b);  // but for the id

// Tokens as they are added one after the other.
//
// A token that is of the vocabulary has its id there; others have the next one, whatever the file
// says. One that is added again with other flags has these from then on; but special it stays, and
// where it was looked for (in the text as it is, in the normalised one) it still is.
// Source: github.com/huggingface/tokenizers, AddedVocabulary::add_tokens.
class AddedTokenList {
 public:
  // The id that the vocabulary has for a text.
  using FindId = std::function<std::optional<TokenId>(const std::string&)>;

  AddedTokenList() = default;
  // `entries`: how many the vocabulary has.
  AddedTokenList(FindId find_id, std::int64_t entries)
      : find_id_(std::move(find_id)), next_(entries) {}
  // Tokens of which each has its id.
  explicit AddedTokenList(std::vector<AddedToken> tokens);

  void add(const std::vector<AddedToken>& tokens);
  // Leaves out the special tokens from this id on.
  void drop_special_from(TokenId id);

  std::vector<AddedToken> tokens() const;    // as they are now, by id
  std::vector<AddedToken> searched() const;  // as they were when a search for them began

 private:
  TokenId id_of(const std::string& content);

  FindId find_id_;
  TokenId next_ = 0;
  std::map<TokenId, AddedToken> by_id_;
  std::map<std::string, TokenId> ids_;
  std::set<std::string> special_names_;
  std::vector<AddedToken> special_;
  std::vector<AddedToken> others_;
};

// A part of a text: a token, or text between tokens.
struct TextPart {
  TokenId token = kNoToken;
  std::string text;
  bool at_start = false;  // of the whole text
};

// True for special tokens and for those that are written like one ("<|im_end|>",
// "<start_of_turn>", "[INST]"), however the file marks them: text that is not trusted must not
// contain them as tokens.
bool is_control(const AddedToken& token);

class AddedTokens {
 public:
  using Normalise = std::function<std::string(const std::string&)>;

  AddedTokens() : AddedTokens(AddedTokenList(), nullptr, "") {}
  // Errors: InputError "WHERE: ..." for a token that is empty or longer than 1000 bytes.
  AddedTokens(const AddedTokenList& list, const Normalise& normalise, const std::string& where);

  // Splits a part that is text at the tokens that are (not) `normalized`; control tokens only when
  // `parse_special`. Parts without text are left out.
  std::vector<TextPart> split(const TextPart& part, bool normalized, bool parse_special) const;

  const AddedToken* find(TokenId id) const;  // null when it is none of them
  const AddedToken* find(const std::string& content) const;
  const std::vector<AddedToken>& tokens() const { return tokens_; }

 private:
  class Trie {
   public:
    void add(std::string_view content, int token);
    // The longest token that text[at...] begins with, and its length; -1 when none.
    int longest(std::string_view text, std::size_t at, bool parse_special,
                const std::vector<bool>& control, std::size_t* length) const;

   private:
    std::array<bool, 256> begins_{};
    std::unordered_map<std::uint64_t, std::uint32_t> next_;  // (node, byte) to node
    std::vector<int> token_at_ = {-1};                       // of a node
  };

  std::vector<AddedToken> tokens_;
  std::vector<bool> control_;
  std::map<TokenId, int> by_id_;
  std::map<std::string, int> by_content_;
  Trie raw_;
  Trie normalized_;
};

}  // namespace lingua
