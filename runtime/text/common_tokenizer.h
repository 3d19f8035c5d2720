#pragma once
// What all tokenizers have in common: the tokens around a text, the tokens inside it, the facts of
// the files beside them.

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/text/added_tokens.h"
#include "runtime/text/tokenizer.h"
#include "runtime/text/tokenizer_settings.h"

namespace lingua {

class CommonTokenizer : public Tokenizer {
 public:
  std::vector<TokenId> encode(std::string_view text, bool add_special,
                              bool parse_special) const final;
  std::vector<TokenId> encode_parts(const std::vector<PromptPart>& parts) const final;
  std::optional<TokenId> bos() const final { return bos_; }
  std::vector<TokenId> stop_tokens() const final { return stops_; }
  std::optional<TokenId> special(const std::string& name) const override;
  bool cleans_up_spaces() const final { return clean_up_spaces_; }

 protected:
  // Appends the ids of a text; `at_start` when nothing precedes it.
  void encode_text(std::string_view text, bool at_start, bool parse_special,
                   std::vector<TokenId>& ids) const;

  // Appends the ids of text without raw added tokens.
  virtual void encode_part(const TextPart& part, bool parse_special,
                           std::vector<TokenId>& ids) const = 0;

  // Errors: InputError for a beginning that is no token. REQUIRES: size() and special()
  // work.
  void take_settings(const TokenizerSettings& settings, const std::string& where);

  AddedTokens added_;
  std::vector<TokenId> before_;  // a text, with add_special
  std::vector<TokenId> after_;
  std::optional<TokenId> bos_;
  std::vector<TokenId> stops_;
  bool split_special_tokens_ = false;
  bool clean_up_spaces_ = false;
};

// One per kind of file. Errors: InputError naming file and field.
std::unique_ptr<Tokenizer> load_json_tokenizer(const std::filesystem::path& file,
                                               const TokenizerSettings& settings);
std::unique_ptr<Tokenizer> load_sentencepiece_tokenizer(const std::filesystem::path& file,
                                                        const TokenizerSettings& settings);
std::unique_ptr<Tokenizer> load_gguf_tokenizer(const std::filesystem::path& file);

}  // namespace lingua
