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

namespace lingua {

// What the files beside a tokenizer's own say: tokenizer_config.json, special_tokens_map.json,
// generation_config.json, config.json, added_tokens.json, chat_template.jinja. All may be missing.
struct TokenizerSettings {
  std::optional<std::string> bos;
  std::optional<std::string> eos;
  std::optional<TokenId> bos_id;
  std::vector<TokenId> stop_ids;
  std::string chat_template;
  std::optional<bool> add_bos;
  std::optional<bool> add_eos;
  std::vector<AddedToken> added;
  std::optional<std::int64_t> vocabulary;  // of the model
};

// Errors: InputError naming file and field.
TokenizerSettings read_tokenizer_settings(const std::filesystem::path& folder);

class CommonTokenizer : public Tokenizer {
 public:
  std::vector<TokenId> encode(std::string_view text, bool add_special,
                              bool parse_special) const final;
  std::vector<TokenId> encode_parts(const std::vector<PromptPart>& parts) const final;
  std::optional<TokenId> bos() const final { return bos_; }
  std::vector<TokenId> stop_tokens() const final { return stops_; }
  std::optional<TokenId> special(const std::string& name) const override;
  const std::string& chat_template() const final { return chat_template_; }

 protected:
  // Appends the ids of a text; `at_start` when nothing precedes it.
  void encode_text(std::string_view text, bool at_start, bool parse_special,
                   std::vector<TokenId>& ids) const;

  // Appends the ids of text without raw added tokens.
  virtual void encode_part(const TextPart& part, bool parse_special,
                           std::vector<TokenId>& ids) const = 0;

  // Errors: InputError for an id in the settings that is no token. REQUIRES: size() and special()
  // work.
  void take_settings(const TokenizerSettings& settings, const std::string& where);

  AddedTokens added_;
  std::vector<TokenId> before_;  // a text, with add_special
  std::vector<TokenId> after_;
  std::optional<TokenId> bos_;
  std::vector<TokenId> stops_;
  std::string chat_template_;
};

// One per kind of file. Errors: InputError naming file and field.
std::unique_ptr<Tokenizer> load_json_tokenizer(const std::filesystem::path& file,
                                               const TokenizerSettings& settings);
std::unique_ptr<Tokenizer> load_sentencepiece_tokenizer(const std::filesystem::path& file,
                                                        const TokenizerSettings& settings);
std::unique_ptr<Tokenizer> load_gguf_tokenizer(const std::filesystem::path& file);

}  // namespace lingua
