#pragma once
// A tokenizer made of added tokens, a normalizer, a pre-tokenizer, byte-pair encoding and a decoder:
// what tokenizer.json describes, and GGUF files of the kind "gpt2".

#include <memory>
#include <string>
#include <vector>

#include "runtime/text/bpe.h"
#include "runtime/text/common_tokenizer.h"
#include "runtime/text/decoder.h"
#include "runtime/text/text_steps.h"

namespace lingua {

class BpeTokenizer final : public CommonTokenizer {
 public:
  struct Parts {
    std::unique_ptr<Vocabulary> vocabulary;  // of the model, without tokens that are only added
    std::unique_ptr<Bpe> bpe;
    Normalizer normalizer;
    PreTokenizer pre_tokenizer;
    std::unique_ptr<Decoder> decoder;
    AddedTokenList added;
    std::vector<TokenId> before;
    std::vector<TokenId> after;
  };

  // Errors: InputError "WHERE: ..." for added tokens that contradict the vocabulary.
  BpeTokenizer(Parts parts, const TokenizerSettings& settings, const std::string& where);

  std::string decode(const std::vector<TokenId>& ids, bool keep_special) const override;
  std::string token_bytes(TokenId id) const override;
  std::int64_t size() const override { return size_; }

 private:
  void encode_part(const TextPart& part, bool parse_special,
                   std::vector<TokenId>& ids) const override;
  const std::string* token(TokenId id) const;  // null for an id that is none

  Parts parts_;
  std::int64_t size_ = 0;
};

}  // namespace lingua
