#pragma once
// A tokenizer over the library SentencePiece.
//
// Between special tokens each part of a text is encoded alone, with the space that the model puts
// before a text. For the classes of transformers that make a tokenizer.json of such a file (see
// TokenizerClass::reads_pieces) it is read as they read it: their classes say where spaces go and
// what special tokens are, and the file's normalisation is left out. Decoding puts pieces together here, not in the library: a text that comes token by
// token needs the bytes of one piece.

#include <memory>
#include <string>
#include <vector>

#include "runtime/text/common_tokenizer.h"
#include "runtime/text/piece_encoder.h"
#include "runtime/text/sentencepiece_model.h"

namespace lingua {

class SentencePieceTokenizer final : public CommonTokenizer {
 public:
  // `settings.added` may hold tokens beyond the pieces. Errors: InputError "WHERE: ...".
  SentencePieceTokenizer(SentencePieceModel model, const TokenizerSettings& settings,
                         const std::string& where);

  std::string decode(const std::vector<TokenId>& ids, bool keep_special) const override;
  std::string token_bytes(TokenId id) const override;
  std::int64_t size() const override { return size_; }

 private:
  void encode_part(const TextPart& part, bool parse_special,
                   std::vector<TokenId>& ids) const override;
  // Where a space is put before a part of a text.
  enum class Prefix { kAsModel, kNowhere, kFirstPart, kEachPart };

  void read_as_class(const TokenizerSettings& settings);
  void make_encoder(const std::string& where);
  std::string decode_as_class(const std::vector<TokenId>& ids, bool keep_special) const;
  bool is_special(TokenId id) const;
  std::string surface(TokenId id) const;  // of special tokens too

  SentencePieceModel model_;
  std::unique_ptr<PieceEncoder> encoder_;
  Prefix prefix_ = Prefix::kAsModel;
  std::int64_t size_ = 0;
};

}  // namespace lingua
