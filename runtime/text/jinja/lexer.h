#pragma once
// A template as tokens, white space already as transformers sets Jinja up: trim_blocks and
// lstrip_blocks on, one newline at the very end dropped.
//
// Source: Jinja's own lexer (jinja2/lexer.py, version 3.1).

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lingua::jinja {

struct Token {
  enum class Kind : std::uint8_t {
    kText,        // between tags
    kPrintBegin,  // {{
    kPrintEnd,
    kBlockBegin,  // {%
    kBlockEnd,
    kName,
    kString,
    kInteger,
    kFloat,
    kOperator,
    kEnd
  };
  Kind kind = Kind::kEnd;
  std::string text;  // of a string, without quotes and escapes
  int line = 1;
};

// Errors: InputError "line N: ...".
std::vector<Token> tokenise(std::string_view source);

}  // namespace lingua::jinja
