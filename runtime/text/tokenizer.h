#pragma once
// Between text and token ids.
//
// A tokenizer comes from a model folder (tokenizer.json, or tokenizer.model of SentencePiece, with
// tokenizer_config.json and generation_config.json beside it) or from the metadata of a GGUF file.
// Text: UTF-8. encode() refuses anything else; decode() gives bytes that may be no UTF-8 where the
// tokens make none (see text_stream.h for text as it is made).
// Determinism: identical ids to the libraries `tokenizers` and `sentencepiece` for the supported
// kinds; what is not supported (a normalizer, a pre-tokenizer, a model) is refused by name.
// Special tokens: those that the files call special, and those that are written like one
// ("<|im_end|>"). Of a folder whose config.json has a smaller vocabulary (the text part of a model
// that also takes images), the special tokens beyond it are left out.
// Threads: const functions may be called from several threads.
// Errors: InputError names file and field; a tokenizer with tokens beyond the model's vocabulary is
// refused by check_vocabulary.
// Speed: near linear in the text; a regular expression that is not is stopped.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/device/message.h"

namespace lingua {

// A token, or text in which no special tokens are looked for.
struct PromptPart {
  TokenId token = kNoToken;
  std::string text;
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // The ids of a text. With `add_special`, what the model expects around it (BOS, ...) is added.
  // Special tokens written in the text ("<start_of_turn>") become their ids when `parse_special`
  // says so, and are plain text otherwise. Errors: InputError for invalid UTF-8, with the offset.
  virtual std::vector<TokenId> encode(std::string_view text, bool add_special,
                                      bool parse_special) const = 0;

  // The ids of one text that is put together of parts: text parts that follow each other are
  // encoded as one, and nothing is added around the whole. Errors: as encode().
  virtual std::vector<TokenId> encode_parts(const std::vector<PromptPart>& parts) const;

  // The text of ids. Special tokens are left out unless `keep_special`; so is every id that is no
  // token: a model's vocabulary may be larger than its tokenizer's.
  virtual std::string decode(const std::vector<TokenId>& ids, bool keep_special = false) const = 0;

  // The bytes that one token adds to a text (not at its beginning); empty for special tokens and for
  // ids that are none.
  virtual std::string token_bytes(TokenId id) const = 0;

  virtual std::int64_t size() const = 0;
  virtual std::optional<TokenId> bos() const = 0;
  virtual std::vector<TokenId> stop_tokens() const = 0;  // end of sequence, of turn
  virtual std::optional<TokenId> special(const std::string& name) const = 0;  // "<end_of_turn>"

  // True when clean_up_spaces() holds for the texts of ids; decode() does it.
  virtual bool cleans_up_spaces() const { return false; }
};

// `model` is a model folder or a GGUF file. Errors: InputError; when there are no tokenizer files,
// it says which ones are looked for.
std::unique_ptr<Tokenizer> load_tokenizer(const std::string& model);

// True when the model has a tokenizer at all.
bool has_tokenizer(const std::string& model);

// Errors: InputError naming both sizes when ids could lie outside the model's vocabulary.
void check_vocabulary(const Tokenizer& tokenizer, std::int64_t vocabulary,
                      const std::string& model);

// Errors: InputError "WHERE: byte OFFSET ... is not UTF-8".
void check_utf8(std::string_view text, const std::string& where);

}  // namespace lingua
