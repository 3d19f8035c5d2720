#pragma once
// A SentencePiece model as a value: read from tokenizer.model, or made from the metadata of a GGUF
// file, and given to the library as bytes that were checked.
//
// The library trusts its models: a normalisation table with offsets outside itself makes it read
// foreign memory. So a file is taken apart here, what counts is checked and kept, and the library
// gets a model written anew. (Its own Protobuf classes are in no public header.)
// Source: github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto (fields),
// github.com/s-yata/darts-clone (the units of the table's trie).

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lingua {

struct SentencePieceModel {
  enum class Kind : std::uint8_t { kUnigram = 1, kBpe = 2, kWord = 3, kCharacter = 4 };
  enum class PieceKind : std::uint8_t {
    kNormal = 1,
    kUnknown = 2,
    kControl = 3,
    kUserDefined = 4,
    kUnused = 5,
    kByte = 6
  };
  struct Piece {
    std::string text;
    float score = 0;
    PieceKind kind = PieceKind::kNormal;
  };

  std::vector<Piece> pieces;
  Kind kind = Kind::kUnigram;
  bool byte_fallback = false;
  bool space_is_suffix = false;
  std::string unknown_surface = " \xE2\x81\x87 ";
  std::string bos = "<s>";
  std::string eos = "</s>";
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
  std::string normalisation_table;
};

// Errors: InputError "WHERE: ..." for bytes that are no such model.
SentencePieceModel parse_sentencepiece(std::string_view bytes, const std::string& where);

// Errors: InputError "WHERE: ..." naming the piece: none or a duplicate text, a score that is no
// number, bytes without all of "<0x00>" to "<0xFF>", not exactly one unknown piece, a table that
// points outside itself.
void check_sentencepiece(const SentencePieceModel& model, const std::string& where);

// The bytes of a tokenizer.model.
std::string serialise_sentencepiece(const SentencePieceModel& model);

}  // namespace lingua
