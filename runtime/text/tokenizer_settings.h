#pragma once
// What the files beside a tokenizer's own say: tokenizer_config.json, special_tokens_map.json,
// generation_config.json, config.json, added_tokens.json. All may be missing.
//
// Source: transformers 4.57, PreTrainedTokenizerBase._from_pretrained (which file counts) and
// PreTrainedTokenizerFast.__init__ (what is added to the tokenizer's own tokens).

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "runtime/text/added_tokens.h"
#include "runtime/text/tokenizer_class.h"

namespace lingua {

// A special token by its role ("bos_token", ...): its text, or all of it.
struct NamedToken {
  AddedToken token;
  bool whole = false;    // the file gives the flags too
  bool given = false;    // by a file, not by the class
  bool wrapped = false;  // the class gives it flags when the file gives its text alone
};

struct TokenizerSettings {
  TokenizerClass tokenizer_class;
  std::optional<std::string> bos;
  std::optional<std::string> eos;
  std::map<std::string, std::string> roles;  // "bos_token" to "<s>"; a model's own roles too
  std::vector<std::string> additional;       // additional_special_tokens
  std::vector<NamedToken> named;             // in the order in which they are added
  std::vector<AddedToken> added;             // by id
  bool added_is_all = false;                 // of what was added: no older file says more

  std::optional<bool> add_bos;
  std::optional<bool> add_eos;
  std::optional<bool> add_prefix_space;  // nothing: as the tokenizer's own file has it
  bool rereads_pieces = false;           // tokenizer.model counts although tokenizer.json is there
  bool prefixes_pieces = false;          // a space before a text, or before each of its parts:
  bool legacy = true;
  bool split_special_tokens = false;
  bool clean_up_spaces = false;

  std::optional<TokenId> bos_id;
  std::vector<TokenId> stop_ids;
  std::optional<std::int64_t> vocabulary;  // of the model
};

// Errors: InputError naming file and field.
TokenizerSettings read_tokenizer_settings(const std::filesystem::path& folder);

// The tokens that the settings add to those that a tokenizer's own file has.
std::vector<AddedToken> further_tokens(const TokenizerSettings& settings,
                                       const std::vector<AddedToken>& own);

}  // namespace lingua
