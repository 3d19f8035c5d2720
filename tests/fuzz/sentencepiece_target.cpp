#include <fmt/format.h>

#include "runtime/text/sentencepiece_model.h"
#include "tests/fuzz/target.h"
#include "tests/fuzz/tokenizer_use.h"

namespace lingua::testing {
namespace {

void run(const std::string& bytes) {
  static const OneFileFolder folder("tokenizer.model");
  use(*load_tokenizer(folder.with(bytes)));
}

std::vector<std::string> samples() {
  using Kind = SentencePieceModel::PieceKind;
  std::vector<std::string> all;
  for (const auto kind : {SentencePieceModel::Kind::kUnigram, SentencePieceModel::Kind::kBpe}) {
    SentencePieceModel model;
    model.kind = kind;
    model.pieces = {{"<unk>", 0, Kind::kUnknown},  {"<s>", 0, Kind::kControl},
                    {"</s>", 0, Kind::kControl},   {"<turn>", 0, Kind::kUserDefined},
                    {"\u2581", -1, Kind::kNormal}, {"\u2581He", -2, Kind::kNormal}};
    for (const char* piece : {"H", "e", "l", "o", "ll", "1", "!", "\u65e5", "\u00f6"}) {
      model.pieces.push_back({piece, -3, Kind::kNormal});
    }
    all.push_back(serialise_sentencepiece(model));
    model.byte_fallback = true;
    for (int byte = 0; byte < 256; ++byte) {
      model.pieces.push_back({fmt::format("<0x{:02X}>", byte), 0, Kind::kByte});
    }
    all.push_back(serialise_sentencepiece(model));
  }
  return all;
}

}  // namespace

FuzzTarget sentencepiece_target() { return {"sentencepiece", run, samples}; }

}  // namespace lingua::testing
