#pragma once
// UTF-8, byte by byte: what is a character, what can become one, what never will.
//
// Source: The Unicode Standard 15.0, table 3-7 (well-formed byte sequences) and section 3.9, U+FFFD
// for each maximal subpart of what is ill-formed.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace lingua {

inline constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";

struct Utf8Piece {
  enum class Kind : std::uint8_t {
    kCharacter,
    kInvalid,    // `bytes` of them are no character whatever follows
    kUnfinished  // the text ends inside what may be a character
  };
  Kind kind = Kind::kInvalid;
  std::size_t bytes = 0;
  char32_t code_point = 0;  // of a character
};

// What text[at...] begins with. REQUIRES: at < text.size().
Utf8Piece utf8_piece(std::string_view text, std::size_t at);

}  // namespace lingua
