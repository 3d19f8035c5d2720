#include "runtime/text/jinja/lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "runtime/base/errors.h"
#include "runtime/checkpoint/json.h"
#include "runtime/text/jinja/value.h"
#include "runtime/text/unicode.h"
#include "runtime/text/utf8.h"

namespace lingua::jinja {
namespace {

using Kind = Token::Kind;

std::string with_unix_newlines(std::string_view source) {
  std::string text;
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
      text += '\n';
    } else {
      text += source[i];
    }
  }
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

// The characters that the escapes of a Python string stand for.
class Escapes {
 public:
  explicit Escapes(std::string_view body) : body_(body) {}

  std::string plain() {
    while (at_ < body_.size()) {
      const char c = body_[at_++];
      if (c != '\\' || at_ == body_.size()) {
        text_ += c;
      } else {
        escape(body_[at_++]);
      }
    }
    return std::move(text_);
  }

 private:
  void escape(char c) {
    static constexpr std::string_view kLetters = "nrtabfv\\'\"";
    static constexpr std::string_view kPlain = "\n\r\t\a\b\f\v\\'\"";
    const std::size_t known = kLetters.find(c);
    if (known != kLetters.npos) {
      text_ += kPlain[known];
    } else if (c == 'x') {
      hex(2);
    } else if (c == 'u') {
      hex(4);
    } else if (c == 'U') {
      hex(8);
    } else if (c >= '0' && c <= '7') {
      octal(c);
    } else if (c == 'N') {
      fail("the escape \\N is not known here");
    } else if (c != '\n') {
      text_ += '\\';
      text_ += c;
    }
  }
  void hex(std::size_t digits) {
    std::uint32_t code = 0;
    const char* const begin = body_.data() + at_;
    const char* const end = begin + std::min(digits, body_.size() - at_);
    const auto parsed = std::from_chars(begin, end, code, 16);
    if (parsed.ptr != begin + digits) fail(fmt::format("an escape without {} digits", digits));
    at_ += digits;
    text_ += utf8_of(code);
  }
  void octal(char first) {
    std::uint32_t code = static_cast<std::uint32_t>(first - '0');
    for (int i = 0; i < 2 && at_ < body_.size() && body_[at_] >= '0' && body_[at_] <= '7'; ++i) {
      code = code * 8 + static_cast<std::uint32_t>(body_[at_++] - '0');
    }
    text_ += utf8_of(code);
  }

  std::string_view body_;
  std::size_t at_ = 0;
  std::string text_;
};

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(with_unix_newlines(source)) {}

  std::vector<Token> run() {
    try {
      while (at_ < source_.size()) text_then_tag();
    } catch (const InputError& error) {
      throw InputError(fmt::format("line {}: {}", line_, error.what()));
    }
    add(Kind::kEnd, "");
    return std::move(tokens_);
  }

 private:
  void add(Kind kind, std::string text) { tokens_.push_back({kind, std::move(text), line_}); }

  bool at(std::string_view text) const {
    return std::string_view(source_).substr(at_, text.size()) == text;
  }

  void skip(std::size_t bytes) {
    line_ += static_cast<int>(std::count(source_.begin() + static_cast<std::ptrdiff_t>(at_),
                                         source_.begin() + static_cast<std::ptrdiff_t>(at_ + bytes),
                                         '\n'));
    at_ += bytes;
  }

  bool skip_space() {
    const std::size_t from = at_;
    while (at_ < source_.size()) {
      const std::size_t bytes = utf8_piece(source_, at_).bytes;
      if (!is_space(std::string_view(source_).substr(at_, bytes))) break;
      skip(bytes);
    }
    return at_ > from;
  }

  // Text up to the next tag loses what the tag's sign or lstrip_blocks takes from it.
  void text_then_tag() {
    std::size_t tag = source_.find('{', at_);
    while (tag != std::string::npos &&
           (tag + 1 >= source_.size() ||
            std::string_view("{%#").find(source_[tag + 1]) == std::string_view::npos)) {
      tag = source_.find('{', tag + 1);
    }
    const bool line_start = at_ == 0 || source_[at_ - 1] == '\n';
    if (tag == std::string::npos) {
      add(Kind::kText, source_.substr(at_));
      skip(source_.size() - at_);
      return;
    }
    const char kind = source_[tag + 1];
    const char sign = tag + 2 < source_.size() ? source_[tag + 2] : ' ';
    add(Kind::kText, stripped(source_.substr(at_, tag - at_), sign, kind != '{', line_start));
    skip(tag - at_ + 2);
    if (sign == '-' || sign == '+') skip(1);
    if (kind == '#') {
      comment();
    } else if (kind == '%' && raw_begins()) {
      raw();
    } else {
      tag_of(kind == '{');
    }
  }

  static std::string stripped(std::string text, char sign, bool is_block, bool line_start) {
    const auto trailing_space = [](const std::string& whole) {
      std::size_t end = 0;
      std::size_t at = 0;
      for (const std::string_view c : characters(whole)) {
        at += c.size();
        if (!is_space(c)) end = at;
      }
      return end;
    };
    if (sign == '-') {
      text.resize(trailing_space(text));
    } else if (is_block && sign != '+') {
      const std::size_t newline = text.rfind('\n');
      if (newline == std::string::npos && !line_start) return text;
      const std::size_t begin = newline == std::string::npos ? 0 : newline + 1;
      if (trailing_space(text.substr(begin)) == 0) text.resize(begin);
    }
    return text;
  }

  // After a tag's end: its sign, and the newline that trim_blocks takes. False: no end is here.
  bool skip_end(std::string_view end, bool is_block) {
    if (at("-") && std::string_view(source_).substr(at_ + 1, 2) == end) {
      skip(3);
      skip_space();
      return true;
    }
    if (is_block && at("+") && std::string_view(source_).substr(at_ + 1, 2) == end) {
      skip(3);
      return true;
    }
    if (!at(end)) return false;
    skip(2);
    if (is_block && at("\n")) skip(1);
    return true;
  }

  void comment() {
    std::size_t end = source_.find("#}", at_);
    if (end == std::string::npos) fail("a comment {# without its end");
    if (end > at_ && (source_[end - 1] == '-' || source_[end - 1] == '+')) --end;
    skip(end - at_);
    skip_end("#}", true);
  }

  bool raw_begins() {
    const std::size_t from = at_;
    const int line = line_;
    skip_space();
    if (at("raw")) {
      skip(3);
      skip_space();
      if (at("%}") || at("-%}")) {
        const bool strips = at("-");
        skip(strips ? 3 : 2);
        if (strips) skip_space();
        return true;
      }
    }
    at_ = from;
    line_ = line;
    return false;
  }

  void raw() {
    const bool line_start = source_[at_ - 1] == '\n';
    for (std::size_t tag = source_.find("{%", at_); tag != std::string::npos;
         tag = source_.find("{%", tag + 2)) {
      const std::size_t from = at_;
      const int line = line_;
      skip(tag + 2 - at_);
      const char sign = at("-") ? '-' : at("+") ? '+' : ' ';
      if (sign != ' ') skip(1);
      skip_space();
      if (at("endraw")) {
        skip(6);
        skip_space();
        if (skip_end("%}", true)) {
          add(Kind::kText, stripped(source_.substr(from, tag - from), sign, true, line_start));
          return;
        }
      }
      at_ = from;
      line_ = line;
    }
    fail("{% raw %} without {% endraw %}");
  }

  void tag_of(bool is_print) {
    add(is_print ? Kind::kPrintBegin : Kind::kBlockBegin, is_print ? "{{" : "{%");
    std::vector<char> open;
    const std::string_view end = is_print ? "}}" : "%}";
    while (true) {
      if (at_ >= source_.size()) fail(fmt::format("a tag without its end {}", end));
      const int line = line_;
      if (open.empty() && skip_end(end, !is_print)) {
        tokens_.push_back({is_print ? Kind::kPrintEnd : Kind::kBlockEnd, std::string(end), line});
        return;
      }
      if (!skip_space()) word(open);
    }
  }

  void word(std::vector<char>& open) {
    const char c = source_[at_];
    if (is_digit(c)) return number();
    if (is_name_start(c)) {
      std::size_t end = at_;
      while (end < source_.size() && (is_name_start(source_[end]) || is_digit(source_[end]))) ++end;
      add(Kind::kName, source_.substr(at_, end - at_));
      return skip(end - at_);
    }
    if (c == '\'' || c == '"') return text_literal(c);
    static constexpr std::array<std::string_view, 26> kOperators = {
        "**", "//", "==", "!=", ">=", "<=", "+", "-", "*", "/", "%", "~", "[",
        "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"};
    for (const std::string_view known : kOperators) {
      if (!at(known)) continue;
      balance(c, open);
      add(Kind::kOperator, std::string(known));
      return skip(known.size());
    }
    const std::size_t bytes = utf8_piece(source_, at_).bytes;
    fail(fmt::format("unexpected character {}", lingua::quoted(source_.substr(at_, bytes))));
  }

  static void balance(char c, std::vector<char>& open) {
    if (c == '(') open.push_back(')');
    if (c == '[') open.push_back(']');
    if (c == '{') open.push_back('}');
    if (c != ')' && c != ']' && c != '}') return;
    if (open.empty() || open.back() != c) fail(fmt::format("unexpected '{}'", c));
    open.pop_back();
  }

  void text_literal(char quote) {
    std::size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) fail("a string without its end");
    add(Kind::kString, Escapes(std::string_view(source_).substr(at_ + 1, end - at_ - 1)).plain());
    skip(end + 1 - at_);
  }

  std::string digits(std::size_t& end, const char* accepted = "0123456789") const {
    std::string text;
    const std::string_view known(accepted);
    const auto is_known = [&](std::size_t i) {
      return i < source_.size() && known.find(source_[i]) != known.npos;
    };
    while (is_known(end) || (end < source_.size() && source_[end] == '_' && is_known(end + 1))) {
      if (source_[end] != '_') text += source_[end];
      ++end;
    }
    return text;
  }

  void number() {
    if (source_[at_] == '0' && at_ + 1 < source_.size()) {
      const char base = static_cast<char>(source_[at_ + 1] | 0x20);
      const int radix = base == 'x' ? 16 : base == 'o' ? 8 : base == 'b' ? 2 : 10;
      if (radix != 10) return prefixed_number(radix);
    }
    std::size_t end = at_;
    std::string text = digits(end);
    bool is_float = false;
    const auto digit_at = [&](std::size_t i) { return i < source_.size() && is_digit(source_[i]); };
    if (end < source_.size() && source_[end] == '.' && digit_at(end + 1)) {
      text += '.' + digits(++end);
      is_float = true;
    }
    if (end < source_.size() && (source_[end] | 0x20) == 'e') {
      const bool sign =
          end + 1 < source_.size() && (source_[end + 1] == '-' || source_[end + 1] == '+');
      if (digit_at(end + (sign ? 2 : 1))) {
        text += 'e';
        if (sign) text += source_[end + 1];
        end += sign ? 2 : 1;
        text += digits(end);
        is_float = true;
      }
    }
    if (!is_float && text.size() > 1 && text[0] == '0' &&
        text.find_first_not_of('0') != text.npos) {
      fail(fmt::format("the number {} begins with 0", text));
    }
    add(is_float ? Kind::kFloat : Kind::kInteger, text);
    skip(end - at_);
  }

  void prefixed_number(int radix) {
    std::size_t end = at_ + 2;
    const std::string text = digits(end, radix == 16  ? "0123456789abcdefABCDEF"
                                         : radix == 8 ? "01234567"
                                                      : "01");
    std::int64_t value = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value, radix);
    if (parsed.ec != std::errc() || text.empty()) fail("a number that is none or too large");
    add(Kind::kInteger, fmt::format("{}", value));
    skip(end - at_);
  }

  std::string source_;
  std::size_t at_ = 0;
  int line_ = 1;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenise(std::string_view source) { return Lexer(source).run(); }

}  // namespace lingua::jinja
